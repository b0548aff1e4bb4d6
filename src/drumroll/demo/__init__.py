"""The main job: the lab updated and rolled back under load, and a report of what that did to the requests."""
