//! Clouds and hypervisors with their properties.

/// A cloud or hypervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Provider {
    /// VMware vSphere.
    Vsphere,
    /// Amazon Web Services.
    Aws,
    /// Microsoft Azure.
    Azure,
    /// Google Cloud.
    Gcp,
    /// OpenStack, which is slow.
    Openstack,
    /// Libvirt hosts.
    Kvm,
}

impl Provider {
    /// Every provider, in the order in which series list them.
    pub const ALL: [Provider; 6] =
        [Provider::Vsphere, Provider::Aws, Provider::Azure, Provider::Gcp, Provider::Openstack, Provider::Kvm];

    /// The value of the label `provider`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.traits().name
    }

    /// The provider of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|provider| provider.name() == name)
    }

    pub(crate) fn traits(self) -> &'static Traits {
        match self {
            Provider::Vsphere => &VSPHERE,
            Provider::Aws => &AWS,
            Provider::Azure => &AZURE,
            Provider::Gcp => &GCP,
            Provider::Openstack => &OPENSTACK,
            Provider::Kvm => &KVM,
        }
    }
}

/// Properties of a provider.
#[derive(Debug)]
pub(crate) struct Traits {
    name: &'static str,
    /// Share of the submitted jobs.
    pub(crate) weight: f64,
    /// Concurrent jobs at the default load; more wait.
    pub(crate) slots: f64,
    /// Usual rate of one job, bytes per second.
    pub(crate) rate: f64,
    pub(crate) regions: &'static [&'static str],
    /// Error messages of failed jobs.
    pub(crate) failures: &'static [&'static str],
}

const MIB: f64 = 1_048_576.0;

static VSPHERE: Traits = Traits {
    name: "vsphere",
    weight: 0.34,
    slots: 10.0,
    rate: 260.0 * MIB,
    regions: &["dc-berlin", "dc-frankfurt", "dc-dublin"],
    failures: &[
        "export failed: NFC lease timed out after 300s",
        "export failed: ServerFaultCode: The session is not authenticated",
        "export failed: host esxi-14.corp.example: connection reset by peer while reading disk-0.vmdk",
        "export failed: snapshot consolidation needed for disk 'scsi0:1'",
        "create exporter: ovftool exited with status 1: Error: Locator does not refer to an object",
        "export failed: insufficient space on datastore 'ds-nvme-03': 212 GiB needed, 87 GiB free",
    ],
};
static AWS: Traits = Traits {
    name: "aws",
    weight: 0.20,
    slots: 6.0,
    rate: 300.0 * MIB,
    regions: &["us-east-1", "eu-central-1", "ap-southeast-2"],
    failures: &[
        "export failed: RequestLimitExceeded: Request limit exceeded (DescribeExportTasks)",
        "export failed: AccessDenied: not authorized to perform kms:Decrypt on the volume key",
        "export failed: SlowDown: Please reduce your request rate (S3 PutObject, part 118)",
        "export failed: ExportTask export-i-0c2f failed: NotExportable: image contains third-party software",
    ],
};
static AZURE: Traits = Traits {
    name: "azure",
    weight: 0.14,
    slots: 5.0,
    rate: 230.0 * MIB,
    regions: &["westeurope", "northeurope", "eastus2"],
    failures: &[
        "export failed: 429 TooManyRequests: SubscriptionRequestsThrottled, retry after 31s",
        "export failed: DiskSasUri expired during transfer (AuthenticationFailed)",
        "export failed: OperationNotAllowed: disk is attached to a running virtual machine",
        "export failed: context deadline exceeded (GET blob range 68719476736-68723671039)",
    ],
};
static GCP: Traits = Traits {
    name: "gcp",
    weight: 0.10,
    slots: 4.0,
    rate: 290.0 * MIB,
    regions: &["europe-west1", "us-central1"],
    failures: &[
        "export failed: googleapi: Error 403: Quota 'SNAPSHOTS' exceeded. Limit: 1000.0, rateLimitExceeded",
        "export failed: daisy workflow step \"copy-image\" timed out after 2h0m0s",
        "export failed: googleapi: Error 503: Backend Error, backendError",
    ],
};
static OPENSTACK: Traits = Traits {
    name: "openstack",
    weight: 0.09,
    slots: 6.0,
    rate: 88.0 * MIB,
    regions: &["RegionOne", "RegionTwo"],
    failures: &[
        "export failed: glance: image 'e1c9' is in state 'killed'",
        "export failed: cinder: volume upload-to-image: 500 Internal Server Error <cinder-volume: no valid backend>",
        "export failed: keystone: token expired, re-authentication failed (401)",
        "export failed: read tcp 10.20.0.7:52114->10.20.4.11:9292: i/o timeout",
    ],
};
static KVM: Traits = Traits {
    name: "kvm",
    weight: 0.13,
    slots: 5.0,
    rate: 340.0 * MIB,
    regions: &["rack-a", "rack-b"],
    failures: &[
        "export failed: qemu-img: error while reading sector 41943040: Input/output error",
        "export failed: libvirt: domain is locked by another job (QEMU_JOB_MODIFY)",
        "export failed: virsh blockcopy: block job aborted & destination removed",
    ],
};

/// One value for each provider.
#[derive(Debug, Clone, Default)]
pub(crate) struct PerProvider<T>([T; 6]);

impl<T> PerProvider<T> {
    pub(crate) fn new(make: impl FnMut(Provider) -> T) -> Self {
        PerProvider(Provider::ALL.map(make))
    }

    pub(crate) fn get(&self, provider: Provider) -> &T {
        let [vsphere, aws, azure, gcp, openstack, kvm] = &self.0;
        match provider {
            Provider::Vsphere => vsphere,
            Provider::Aws => aws,
            Provider::Azure => azure,
            Provider::Gcp => gcp,
            Provider::Openstack => openstack,
            Provider::Kvm => kvm,
        }
    }

    pub(crate) fn get_mut(&mut self, provider: Provider) -> &mut T {
        let [vsphere, aws, azure, gcp, openstack, kvm] = &mut self.0;
        match provider {
            Provider::Vsphere => vsphere,
            Provider::Aws => aws,
            Provider::Azure => azure,
            Provider::Gcp => gcp,
            Provider::Openstack => openstack,
            Provider::Kvm => kvm,
        }
    }
}
