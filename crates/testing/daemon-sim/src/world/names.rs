//! Realistic names of a data centre.

use super::{job::Vcenter, provider::Provider};
use crate::dice::Dice;

/// The password in the simulated vCenter definitions. Tests search for it in all output of a server: it must never
/// appear.
pub const VCENTER_PASSWORD: &str = "sim-vCenter-S3cret!42";

const ROLES: [&str; 30] = [
    "web",
    "api",
    "db",
    "oracle",
    "sap-hana",
    "mail",
    "ad",
    "erp",
    "ci",
    "cache",
    "kafka",
    "elastic",
    "sharepoint",
    "jenkins",
    "gitlab",
    "files",
    "backup",
    "jump",
    "grafana",
    "billing",
    "crm",
    "dns",
    "proxy",
    "ldap",
    "print",
    "citrix",
    "mssql",
    "postgres",
    "vault",
    "build",
];
const STAGES: [&str; 4] = ["prod", "prod", "stage", "dev"];
const FOLDERS: [&str; 5] = ["Production", "Staging", "R&D", "Finance", "Legacy <2019>"];

/// A machine's name, such as `db-prod-17`.
pub(super) fn machine(dice: &mut Dice) -> String {
    let role = dice.pick(&ROLES).copied().unwrap_or("vm");
    let stage = dice.pick(&STAGES).copied().unwrap_or("prod");
    format!("{role}-{stage}-{:02}", 1 + dice.below(48))
}

/// The machine's location in the format of its provider.
pub(super) fn path(dice: &mut Dice, provider: Provider, region: &str, machine: &str) -> String {
    match provider {
        Provider::Vsphere => {
            let folder = dice.pick(&FOLDERS).copied().unwrap_or("Production");
            format!("/{}/vm/{folder}/{machine}", data_center(region))
        }
        Provider::Aws => format!("{region}/i-{:017x}", dice.bits() >> 4),
        Provider::Azure => format!("rg-{region}-{}/{machine}", 1 + dice.below(4)),
        Provider::Gcp => format!("projects/acme-core/zones/{region}-b/instances/{machine}"),
        Provider::Openstack => format!("{region}/tenant-{}/{machine}", 1 + dice.below(6)),
        Provider::Kvm => format!("kvm-{region}-{:02}/{machine}", 1 + dice.below(12)),
    }
}

/// A UUID of version 4.
pub(super) fn id(dice: &mut Dice) -> String {
    let (high, low) = (dice.bits(), dice.bits());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0x0fff,
        0x8000 | ((low >> 48) & 0x3fff),
        low & 0xffff_ffff_ffff
    )
}

/// Access to the vCenter of a region.
pub(super) fn vcenter(region: &str) -> Vcenter {
    Vcenter {
        server: format!("vcenter.{region}.corp.example"),
        username: "svc-hypersdk@vsphere.local".to_owned(),
        password: VCENTER_PASSWORD.to_owned(),
        insecure: region == "dc-berlin",
    }
}

/// For example, `dc-berlin` is `DC-Berlin` in an inventory.
fn data_center(region: &str) -> String {
    let city = region.trim_start_matches("dc-");
    let mut letters = city.chars();
    letters
        .next()
        .map_or_else(|| "DC".to_owned(), |first| format!("DC-{}{}", first.to_ascii_uppercase(), letters.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_uuids_of_version_four() {
        let mut dice = Dice::new(5);
        for _ in 0..100 {
            let id = id(&mut dice);
            let parts: Vec<&str> = id.split('-').collect();
            assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12], "{id}");
            assert!(parts[2].starts_with('4') && parts[3].starts_with(['8', '9', 'a', 'b']), "{id}");
        }
    }

    #[test]
    fn paths_name_the_place() {
        let mut dice = Dice::new(5);
        assert!(path(&mut dice, Provider::Vsphere, "dc-berlin", "web-1").starts_with("/DC-Berlin/vm/"));
        assert!(path(&mut dice, Provider::Aws, "us-east-1", "web-1").starts_with("us-east-1/i-"));
    }
}
