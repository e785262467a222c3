//! The images on a node, and the pulls that bring them there: one after the other, each taking
//! the time that its size needs. Upstream: pkg/kubelet/images/puller.go, serialImagePuller.

use std::sync::Arc;

use api::openapi::api::core::v1::ContainerImage;
use runtime::{Image, ImageCatalogue, ImageReference, PullError};
use sim::{Digest, Digestible, Duration, SmallMap, Sort, Stream, Time};

/// Between request and first byte: names, manifests, tokens.
const HANDSHAKE: (Duration, Duration) = (Duration::from_millis(350), Duration::from_millis(900));
/// Bytes in a second, of download and unpacking together.
const BYTES_PER_SECOND: (u64, u64) = (40_000_000, 60_000_000);
/// Upstream: KubeletConfiguration.nodeStatusMaxImages.
const MAX_REPORTED_IMAGES: usize = 50;

/// A pull that was asked for: when its turn came, and when it ends.
#[derive(Clone, Debug)]
pub(crate) struct Pull {
    pub(crate) began: Time,
    pub(crate) ends: Time,
    pub(crate) result: Result<Arc<Image>, PullError>,
}

#[derive(Clone, Debug)]
struct Stored {
    image: Arc<Image>,
    present_from: Time,
}

/// All images of one node.
#[derive(Clone, Debug)]
pub(crate) struct ImageService {
    catalogue: Arc<dyn ImageCatalogue>,
    stored: SmallMap<String, Stored>,
    busy_until: Time,
}

impl ImageService {
    pub(crate) fn new(catalogue: Arc<dyn ImageCatalogue>) -> Self {
        ImageService { catalogue, stored: SmallMap::new(), busy_until: Time::ZERO }
    }

    /// Puts an image on the node without a pull.
    pub(crate) fn preload(&mut self, name: &str) {
        let Ok(reference) = ImageReference::parse(name) else { return };
        if let Ok(image) = self.catalogue.resolve(&reference) {
            let stored = Stored { image: Arc::new(image), present_from: Time::ZERO };
            self.stored.insert(reference.to_string(), stored);
        }
    }

    pub(crate) fn catalogue(&self) -> &dyn ImageCatalogue {
        &*self.catalogue
    }

    /// The image of that name, if it is on the node.
    pub(crate) fn present(&self, reference: &ImageReference, now: Time) -> Option<Arc<Image>> {
        let stored = self.stored.get(&reference.to_string())?;
        (stored.present_from <= now).then(|| stored.image.clone())
    }

    /// Asks for a pull. It begins when those asked for before have ended.
    pub(crate) fn pull(
        &mut self,
        reference: &ImageReference,
        now: Time,
        random: &mut Stream,
    ) -> Pull {
        let began = now.max(self.busy_until);
        let result = self.catalogue.resolve(reference).map(Arc::new);
        let span = match &result {
            Err(error) => error.after,
            Ok(image) => {
                let layers_present = self.holds(image, began);
                let bytes = if layers_present { 0 } else { image.size_bytes };
                let rate =
                    BYTES_PER_SECOND.0 + random.below(BYTES_PER_SECOND.1 - BYTES_PER_SECOND.0);
                let transfer = Duration::from_micros(bytes.saturating_mul(1_000_000) / rate);
                random.between(HANDSHAKE.0, HANDSHAKE.1) + transfer
            }
        };
        let ends = began + span;
        self.busy_until = ends;
        if let Ok(image) = &result {
            let stored = Stored { image: image.clone(), present_from: ends };
            self.stored.entry(reference.to_string()).or_insert(stored);
        }
        Pull { began, ends, result }
    }

    /// Whether the layers of the image are on the node under any name.
    fn holds(&self, image: &Image, at: Time) -> bool {
        self.stored
            .values()
            .any(|stored| stored.present_from <= at && stored.image.digest == image.digest)
    }

    /// The images as the node's status lists them, largest first.
    pub(crate) fn report(&self, now: Time) -> Vec<ContainerImage> {
        let mut by_digest: SmallMap<&str, (u64, Vec<String>)> = SmallMap::new();
        for (name, stored) in self.stored.iter().filter(|(_, stored)| stored.present_from <= now) {
            let image = &stored.image;
            let by_hash = format!("{}@{}", image.repository, image.digest);
            let entry =
                by_digest.entry(&image.digest).or_insert_with(|| (image.size_bytes, vec![by_hash]));
            entry.1.push(name.clone());
        }
        let mut report: Vec<(u64, Vec<String>)> = by_digest.into_values().collect();
        report.order_by(|left, right| right.cmp(left));
        report.truncate(MAX_REPORTED_IMAGES);
        let listed = report.into_iter().map(|(size, names)| ContainerImage {
            names: Some(names),
            size_bytes: i64::try_from(size).ok(),
        });
        listed.collect()
    }
}

impl Digestible for ImageService {
    fn digest(&self, digest: &mut Digest) {
        digest.add(&self.busy_until);
        digest.u64(self.stored.len() as u64);
        for (name, stored) in &self.stored {
            digest.str(name);
            digest.add(&stored.present_from);
        }
    }
}
