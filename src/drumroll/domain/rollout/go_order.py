"""The order in which Go writes the fields of a pod template: that of its structs, types.go of k8s.io/api.

What is missing here has its fields in the order of the alphabet.
"""

_CONTAINER = (
    "name image command args workingDir ports envFrom env resources resizePolicy restartPolicy restartPolicyRules "
    "volumeMounts volumeDevices livenessProbe readinessProbe startupProbe lifecycle terminationMessagePath "
    "terminationMessagePolicy imagePullPolicy securityContext stdin stdinOnce tty"
)
_TERMS = "requiredDuringSchedulingIgnoredDuringExecution preferredDuringSchedulingIgnoredDuringExecution"
_VOLUMES = (
    "hostPath emptyDir gcePersistentDisk awsElasticBlockStore gitRepo secret nfs iscsi glusterfs "
    "persistentVolumeClaim rbd flexVolume cinder cephfs flocker downwardAPI fc azureFile configMap vsphereVolume "
    "quobyte azureDisk photonPersistentDisk projected portworxVolume scaleIO storageos csi ephemeral image"
)

_TABLE = {
    "ObjectMeta": "name generateName namespace selfLink uid resourceVersion generation creationTimestamp "
    "deletionTimestamp deletionGracePeriodSeconds labels annotations ownerReferences finalizers managedFields",
    "OwnerReference": "apiVersion kind name uid controller blockOwnerDeletion",
    "PodTemplateSpec": "metadata spec",
    "PodSpec": "volumes initContainers containers ephemeralContainers restartPolicy terminationGracePeriodSeconds "
    "activeDeadlineSeconds dnsPolicy nodeSelector serviceAccountName serviceAccount automountServiceAccountToken "
    "nodeName hostNetwork hostPID hostIPC shareProcessNamespace securityContext imagePullSecrets hostname subdomain "
    "affinity schedulerName tolerations hostAliases priorityClassName priority dnsConfig readinessGates "
    "runtimeClassName enableServiceLinks preemptionPolicy overhead topologySpreadConstraints setHostnameAsFQDN os "
    "hostUsers schedulingGates resourceClaims resources hostnameOverride schedulingGroup",
    "Affinity": "nodeAffinity podAffinity podAntiAffinity",
    "NodeAffinity": _TERMS,
    "PodAffinity": _TERMS,
    "PodAntiAffinity": _TERMS,
    "PreferredSchedulingTerm": "weight preference",
    "WeightedPodAffinityTerm": "weight podAffinityTerm",
    "PodAffinityTerm": "labelSelector namespaces topologyKey namespaceSelector matchLabelKeys mismatchLabelKeys",
    "LabelSelector": "matchLabels matchExpressions",
    "Container": _CONTAINER,
    "EphemeralContainer": f"{_CONTAINER} targetContainerName",
    "EnvVarSource": "fieldRef resourceFieldRef configMapKeyRef secretKeyRef fileKeyRef",
    "ConfigMapKeySelector": "name key optional",
    "SecretKeySelector": "name key optional",
    "FileKeySelector": "volumeName path key optional",
    "ResourceFieldSelector": "containerName resource divisor",
    "EnvFromSource": "prefix configMapRef secretRef",
    "LifecycleHandler": "exec httpGet tcpSocket sleep",
    "HTTPGetAction": "path port host scheme httpHeaders",
    "TCPSocketAction": "port host",
    "Probe": "exec httpGet tcpSocket grpc initialDelaySeconds timeoutSeconds periodSeconds successThreshold "
    "failureThreshold terminationGracePeriodSeconds",
    "ContainerPort": "name hostPort containerPort protocol hostIP",
    "ResourceRequirements": "limits requests claims",
    "SecurityContext": "capabilities privileged seLinuxOptions windowsOptions runAsUser runAsGroup runAsNonRoot "
    "readOnlyRootFilesystem allowPrivilegeEscalation procMount seccompProfile appArmorProfile",
    "AppArmorProfile": "type localhostProfile",
    "SeccompProfile": "type localhostProfile",
    "SELinuxOptions": "user role type level",
    "WindowsSecurityContextOptions": "gmsaCredentialSpecName gmsaCredentialSpec runAsUserName hostProcess",
    "VolumeDevice": "name devicePath",
    "VolumeMount": "name readOnly recursiveReadOnly mountPath subPath mountPropagation subPathExpr",
    "PodDNSConfig": "nameservers searches options",
    "HostAlias": "ip hostnames",
    "PodSecurityContext": "seLinuxOptions windowsOptions runAsUser runAsGroup runAsNonRoot supplementalGroups "
    "supplementalGroupsPolicy fsGroup sysctls fsGroupChangePolicy seccompProfile appArmorProfile seLinuxChangePolicy",
    "Toleration": "key operator value effect tolerationSeconds",
    "TopologySpreadConstraint": "maxSkew topologyKey whenUnsatisfiable labelSelector minDomains nodeAffinityPolicy "
    "nodeTaintsPolicy matchLabelKeys",
    "Volume": f"name {_VOLUMES}",
    "ConfigMapVolumeSource": "name items defaultMode optional",
    "SecretVolumeSource": "secretName items defaultMode optional",
    "KeyToPath": "key path mode",
    "CSIVolumeSource": "driver readOnly fsType volumeAttributes nodePublishSecretRef",
    "DownwardAPIVolumeSource": "items defaultMode",
    "DownwardAPIVolumeFile": "path fieldRef resourceFieldRef mode",
    "PersistentVolumeClaimTemplate": "metadata spec",
    "PersistentVolumeClaimSpec": "accessModes selector resources volumeName storageClassName volumeMode dataSource "
    "dataSourceRef volumeAttributesClassName",
    "ImageVolumeSource": "reference pullPolicy",
    "NFSVolumeSource": "server path readOnly",
    "ProjectedVolumeSource": "sources defaultMode",
    "VolumeProjection": "secret downwardAPI configMap serviceAccountToken clusterTrustBundle podCertificate",
    "ConfigMapProjection": "name items optional",
    "SecretProjection": "name items optional",
    "ClusterTrustBundleProjection": "name signerName labelSelector optional path",
    "GitRepoVolumeSource": "repository revision directory",
    "ISCSIVolumeSource": "targetPortal iqn lun iscsiInterface fsType readOnly portals chapAuthDiscovery "
    "chapAuthSession secretRef initiatorName",
    "RBDVolumeSource": "monitors image fsType pool user keyring secretRef readOnly",
    "CephFSVolumeSource": "monitors path user secretFile secretRef readOnly",
    "FCVolumeSource": "targetWWNs lun fsType readOnly wwids",
    "AWSElasticBlockStoreVolumeSource": "volumeID fsType partition readOnly",
    "GCEPersistentDiskVolumeSource": "pdName fsType partition readOnly",
    "CinderVolumeSource": "volumeID fsType readOnly secretRef",
    "AzureFileVolumeSource": "secretName shareName readOnly",
    "AzureDiskVolumeSource": "diskName diskURI cachingMode fsType readOnly kind",
    "VsphereVirtualDiskVolumeSource": "volumePath fsType storagePolicyName storagePolicyID",
    "FlexVolumeSource": "driver fsType secretRef readOnly options",
    "PortworxVolumeSource": "volumeID fsType readOnly",
    "QuobyteVolumeSource": "registry volume readOnly user group tenant",
    "ScaleIOVolumeSource": "gateway system secretRef sslEnabled protectionDomain storagePool storageMode volumeName "
    "fsType readOnly",
    "StorageOSVolumeSource": "volumeName volumeNamespace fsType readOnly secretRef",
    "PhotonPersistentDiskVolumeSource": "pdID fsType",
}

ORDERS = {name: {field: at for at, field in enumerate(text.split())} for name, text in _TABLE.items()}
"""The place of each field, by the struct's name."""
