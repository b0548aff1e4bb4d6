"""The one narrow way to the Kubernetes API: HTTP or in-process transport, informers, kubeconfig."""
