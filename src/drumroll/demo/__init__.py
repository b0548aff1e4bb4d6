"""The main job: a cluster, the lab's services, an update and its undo under load, a report."""
