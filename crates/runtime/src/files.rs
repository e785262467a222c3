//! The files of a container: contents by absolute path.

use std::sync::Arc;

use imbl::OrdMap;
use sim::{Digest, Digestible};

/// How much the files of one container may hold together. What does not fit is not written, as
/// on a disk that is full.
const CAPACITY_BYTES: u64 = 1 << 20;

/// Files by absolute path. Cloning shares the contents.
#[derive(Clone, Debug, Default)]
pub struct Files {
    contents: OrdMap<Arc<str>, Arc<[u8]>>,
    used_bytes: u64,
}

impl Files {
    /// No files.
    #[must_use]
    pub fn new() -> Self {
        Files::default()
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

    /// Adds to the end of a file. Says whether there was room for it.
    pub fn append(&mut self, path: &str, content: &[u8]) -> bool {
        let mut whole = self.read(path).unwrap_or_default().to_vec();
        whole.extend_from_slice(content);
        self.write(path, &whole)
    }

    /// Removes a file. Says whether it was there.
    pub fn remove(&mut self, path: &str) -> bool {
        let removed = self.contents.remove(path);
        self.used_bytes -= removed.as_ref().map_or(0, |content| content.len() as u64);
        removed.is_some()
    }

    /// Whether there is a file of that path, or a directory with files in it.
    #[must_use]
    pub fn exists(&self, path: &str) -> bool {
        self.contents.contains_key(path) || self.list(path).next().is_some()
    }

    /// The names directly within a directory, each once, in order.
    pub fn list<'a>(&'a self, directory: &str) -> impl Iterator<Item = &'a str> {
        let prefix = format!("{}/", directory.trim_end_matches('/'));
        let start: Arc<str> = prefix.as_str().into();
        let mut last = None;
        self.contents
            .range(start..)
            .map_while(move |(path, _)| path.strip_prefix(prefix.as_str()))
            .filter_map(move |rest| {
                let name = rest.split('/').next().unwrap_or(rest);
                (last.replace(name) != Some(name)).then_some(name)
            })
    }
}

impl Digestible for Files {
    fn digest(&self, digest: &mut Digest) {
        digest.u64(self.contents.len() as u64);
        for (path, content) in &self.contents {
            digest.str(path);
            digest.bytes(content);
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
        assert_eq!(files.list("/etc").collect::<Vec<_>>(), ["hosts", "ssl"]);
        assert!(files.exists("/etc/ssl") && !files.exists("/et"));
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
}
