//! The memory available to this process: the machine's, or less in a control group.

use std::path::{Path, PathBuf};

/// Assumed memory if nothing can be read.
const UNKNOWN_BYTES: u64 = 4 << 30;
const MEMORY: &str = "/proc/meminfo";
const GROUPS: &str = "/proc/self/cgroup";
const GROUP_ROOT: &str = "/sys/fs/cgroup";

/// Three quarters of the available memory.
#[must_use]
pub fn default_limit() -> u64 {
    available() / 4 * 3
}

/// Available memory in bytes: the machine's, or that of the smallest control group of the process.
#[must_use]
pub fn available() -> u64 {
    let read = |path: &Path| std::fs::read_to_string(path).ok();
    let machine = read(Path::new(MEMORY)).and_then(|text| total_of(&text));
    let groups = read(Path::new(GROUPS)).map(|text| limit_files(&text)).unwrap_or_default();
    let group = groups.iter().filter_map(|path| read(path)?.trim().parse().ok()).min();
    machine.into_iter().chain(group).min().unwrap_or(UNKNOWN_BYTES)
}

/// The machine's memory in bytes, from proc_meminfo(5).
fn total_of(meminfo: &str) -> Option<u64> {
    kibibytes(meminfo, "MemTotal:")
}

/// The value in bytes of a line with kibibytes in a file in /proc.
pub fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The limit files of a process's control groups (cgroups(7)) and their parents. In a container the root group has the
/// limit of the container.
fn limit_files(groups: &str) -> Vec<PathBuf> {
    let of_group = |line: &str| {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let (root, file) = if controllers.is_empty() {
            (PathBuf::from(GROUP_ROOT), "memory.max")
        } else if controllers.split(',').any(|controller| controller == "memory") {
            (Path::new(GROUP_ROOT).join("memory"), "memory.limit_in_bytes")
        } else {
            return None;
        };
        let path = PathBuf::from(path.trim_start_matches('/'));
        let above = path.ancestors().map(|group| root.join(group).join(file)).collect::<Vec<_>>();
        Some(above)
    };
    groups.lines().filter_map(of_group).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_both_versions_are_looked_at_up_to_the_root() {
        let files = |groups: &str| -> Vec<String> {
            limit_files(groups).iter().map(|path| path.display().to_string()).collect()
        };
        assert_eq!(
            files("0::/system.slice/x.service\n"),
            [
                "/sys/fs/cgroup/system.slice/x.service/memory.max",
                "/sys/fs/cgroup/system.slice/memory.max",
                "/sys/fs/cgroup/memory.max"
            ]
        );
        let first = files("5:cpu,cpuacct:/a\n4:memory:/docker/b\n");
        assert_eq!(first.first().unwrap(), "/sys/fs/cgroup/memory/docker/b/memory.limit_in_bytes");
        assert_eq!(first.len(), 3);
        assert!(files("no such thing").is_empty());
    }

    #[test]
    fn the_machine_says_what_it_has() {
        assert_eq!(total_of("MemTotal:       24000 kB\nMemFree: 1 kB\n"), Some(24_000 * 1024));
        assert_eq!(total_of("MemTotal: many kB"), None);
        assert!(available() > 1 << 20);
    }
}
