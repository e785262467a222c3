//! The files of a container: its own, and those of the volumes that are mounted in it.

use std::sync::Arc;

use sim::{Digest, Digestible, OrdMap, SmallMap, SmallSet, Sort};

/// How much one volume, or the files of one container, may hold. What does not fit is not
/// written, as on a disk that is full.
const CAPACITY_BYTES: u64 = 1 << 20;

/// Files by their path within a volume. Cloning shares the contents.
#[derive(Clone, Debug, Default)]
pub struct Volume {
    contents: OrdMap<Arc<str>, Arc<[u8]>>,
    used_bytes: u64,
}

impl Volume {
    /// An empty volume.
    #[must_use]
    pub fn new() -> Self {
        Volume::default()
    }

    /// A file's content.
    #[must_use]
    pub fn read(&self, path: &str) -> Option<&[u8]> {
        self.contents.get(path).map(AsRef::as_ref)
    }

    /// Puts a file in place of what was there. Says whether there was room for it.
    pub fn write(&mut self, path: &str, content: &[u8]) -> bool {
        let before = self.read(path).map_or(0, |old| old.len() as u64);
        let used_bytes = self.used_bytes - before + content.len() as u64;
        if used_bytes > CAPACITY_BYTES {
            return false;
        }
        self.used_bytes = used_bytes;
        self.contents.insert(path.into(), content.into());
        true
    }

    /// Removes a file. Says whether it was there.
    pub fn remove(&mut self, path: &str) -> bool {
        let removed = self.contents.remove(path);
        self.used_bytes -= removed.as_ref().map_or(0, |content| content.len() as u64);
        removed.is_some()
    }

    /// How much its files hold together.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.used_bytes
    }

    /// The paths of all files, in order.
    #[must_use]
    pub fn paths(&self) -> Vec<Arc<str>> {
        self.contents.keys().cloned().collect()
    }

    /// The names directly within a directory, each once, in order.
    #[must_use]
    pub fn names_in(&self, directory: &str) -> SmallSet<String> {
        let mut names = SmallSet::new();
        self.list(directory, &mut names);
        names
    }

    /// Adds the names directly within a directory.
    fn list(&self, directory: &str, names: &mut SmallSet<String>) {
        let prefix = if directory.is_empty() { String::new() } else { format!("{directory}/") };
        let start: Arc<str> = prefix.as_str().into();
        let inside = self.contents.range(start..);
        let inside = inside.map_while(|(path, _)| path.strip_prefix(prefix.as_str()));
        names.extend(inside.filter_map(|rest| rest.split('/').next()).map(str::to_string));
    }
}

impl Digestible for Volume {
    fn digest(&self, digest: &mut Digest) {
        digest.u64(self.contents.len() as u64);
        for (path, content) in &self.contents {
            digest.str(path);
            digest.bytes(content);
        }
    }
}

/// A volume that is mounted in a container.
#[derive(Clone, Debug)]
struct Mount {
    /// Where, without a slash at the end.
    at: String,
    name: String,
    /// Which part of the volume; empty for all of it.
    sub_path: String,
    read_only: bool,
    volume: Volume,
}

impl Mount {
    /// The path within the volume, if the path lies in the mount.
    fn inner(&self, path: &str) -> Option<String> {
        let rest = path.strip_prefix(self.at.as_str())?;
        if !rest.is_empty() && !rest.starts_with('/') {
            return None;
        }
        let rest = rest.trim_start_matches('/');
        Some(match (self.sub_path.is_empty(), rest.is_empty()) {
            (true, _) => rest.to_string(),
            (false, true) => self.sub_path.clone(),
            (false, false) => format!("{}/{rest}", self.sub_path),
        })
    }
}

/// What a container sees at its paths. Cloning shares the contents.
#[derive(Clone, Debug, Default)]
pub struct Files {
    own: Volume,
    mounts: Vec<Mount>,
}

impl Files {
    /// No files.
    #[must_use]
    pub fn new() -> Self {
        Files::default()
    }

    /// Mounts a volume, or a part of it, at a path.
    pub fn mount(&mut self, at: &str, name: &str, sub_path: &str, read_only: bool) {
        self.mounts.push(Mount {
            at: at.trim_end_matches('/').to_string(),
            name: name.to_string(),
            sub_path: sub_path.trim_matches('/').to_string(),
            read_only,
            volume: Volume::new(),
        });
        // The deepest mount that a path lies in is the one that counts.
        self.mounts.order_by_key(|mount| std::cmp::Reverse(mount.at.len()));
    }

    /// Puts a file of the image in its place, under whatever is mounted over it.
    pub fn install(&mut self, path: &str, content: &str) {
        self.own.write(path.trim_start_matches('/'), content.as_bytes());
    }

    /// Whether a volume of that name is mounted.
    #[must_use]
    pub fn mounts(&self, name: &str) -> bool {
        self.mounts.iter().any(|mount| mount.name == name)
    }

    /// Takes in the mounted volumes as they stand.
    pub fn load(&mut self, volumes: &SmallMap<String, Volume>) {
        for mount in &mut self.mounts {
            mount.volume = volumes.get(&mount.name).cloned().unwrap_or_default();
        }
    }

    /// Puts the mounted volumes back. A volume may be mounted twice, but one event writes
    /// through one mount at a time, and reads the others again at the next.
    pub fn store(&mut self, volumes: &mut SmallMap<String, Volume>) {
        for mount in self.mounts.iter_mut().filter(|mount| !mount.read_only) {
            let volume = std::mem::take(&mut mount.volume);
            if let Some(stored) = volumes.get_mut(&mount.name)
                && !stored.contents.ptr_eq(&volume.contents)
            {
                *stored = volume;
            }
        }
    }

    fn locate(&self, path: &str) -> (&Volume, String) {
        let mounted = self.mounts.iter().find_map(|mount| Some((mount, mount.inner(path)?)));
        match mounted {
            Some((mount, inner)) => (&mount.volume, inner),
            None => (&self.own, path.trim_start_matches('/').to_string()),
        }
    }

    /// The volume to write to; `None` if it may only be read.
    fn locate_mut(&mut self, path: &str) -> Option<(&mut Volume, String)> {
        let mounted = self.mounts.iter_mut().find_map(|mount| {
            let inner = mount.inner(path)?;
            Some((mount, inner))
        });
        match mounted {
            Some((mount, _)) if mount.read_only => None,
            Some((mount, inner)) => Some((&mut mount.volume, inner)),
            None => Some((&mut self.own, path.trim_start_matches('/').to_string())),
        }
    }

    /// A file's content.
    #[must_use]
    pub fn read(&self, path: &str) -> Option<&[u8]> {
        let (volume, inner) = self.locate(path);
        volume.read(&inner)
    }

    /// Puts a file in place of what was there. Says whether that was possible.
    pub fn write(&mut self, path: &str, content: &[u8]) -> bool {
        let place = self.locate_mut(path);
        place.is_some_and(|(volume, inner)| volume.write(&inner, content))
    }

    /// Adds to the end of a file. Says whether that was possible.
    pub fn append(&mut self, path: &str, content: &[u8]) -> bool {
        let mut whole = self.read(path).unwrap_or_default().to_vec();
        whole.extend_from_slice(content);
        self.write(path, &whole)
    }

    /// Removes a file. Says whether it was there and could be removed.
    pub fn remove(&mut self, path: &str) -> bool {
        let place = self.locate_mut(path);
        place.is_some_and(|(volume, inner)| volume.remove(&inner))
    }

    /// Whether there is a file of that path, or a directory with files or mounts in it.
    #[must_use]
    pub fn exists(&self, path: &str) -> bool {
        self.read(path).is_some()
            || self.mounts.iter().any(|mount| mount.at == path)
            || !self.list(path).is_empty()
    }

    /// The names directly within a directory, each once, in order.
    #[must_use]
    pub fn list(&self, directory: &str) -> SmallSet<String> {
        let directory = directory.trim_end_matches('/');
        let mut names = SmallSet::new();
        let (volume, inner) = self.locate(directory);
        volume.list(&inner, &mut names);
        for mount in &self.mounts {
            let below = mount.at.strip_prefix(directory).and_then(|rest| rest.strip_prefix('/'));
            names.extend(below.and_then(|rest| rest.split('/').next()).map(str::to_string));
        }
        names
    }
}

impl Digestible for Files {
    fn digest(&self, digest: &mut Digest) {
        digest.add(&self.own);
        digest.u64(self.mounts.len() as u64);
        for mount in &self.mounts {
            digest.str(&mount.at);
            digest.str(&mount.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_lists_each_name_once() {
        let mut files = Files::new();
        for path in ["/etc/hosts", "/etc/ssl/a", "/etc/ssl/b", "/etcetera"] {
            assert!(files.write(path, b"x"));
        }
        files.mount("/etc/config", "config", "", true);
        assert_eq!(files.list("/etc").iter().collect::<Vec<_>>(), ["config", "hosts", "ssl"]);
        assert!(files.exists("/etc/ssl") && files.exists("/etc/config") && !files.exists("/et"));
    }

    #[test]
    fn a_full_disk_refuses_and_removal_makes_room() {
        let mut files = Files::new();
        assert!(files.write("/big", &vec![0; 1 << 20]));
        assert!(!files.append("/small", b"x"));
        assert!(files.remove("/big"));
        assert!(files.append("/small", b"x"));
        assert_eq!(files.read("/small"), Some(&b"x"[..]));
    }

    #[test]
    fn containers_share_what_they_mount() {
        let mut volumes = SmallMap::from([("data".to_string(), Volume::new())]);
        let (mut writer, mut reader) = (Files::new(), Files::new());
        writer.mount("/out", "data", "", false);
        reader.mount("/in", "data", "deep", true);
        writer.load(&volumes);
        assert!(writer.write("/out/deep/file", b"hello"));
        writer.store(&mut volumes);
        reader.load(&volumes);
        assert_eq!(reader.read("/in/file"), Some(&b"hello"[..]));
        assert!(!reader.write("/in/file", b"no"), "it may only be read");
    }

    #[test]
    fn a_single_file_can_be_mounted() {
        let mut volume = Volume::new();
        volume.write("app.conf", b"a=1");
        let volumes = SmallMap::from([("config".to_string(), volume)]);
        let mut files = Files::new();
        files.mount("/etc/app/app.conf", "config", "app.conf", false);
        files.load(&volumes);
        assert_eq!(files.read("/etc/app/app.conf"), Some(&b"a=1"[..]));
    }
}
