"""The Kubernetes API over HTTP: discovery, REST, patches, watches, tables, authentication."""
