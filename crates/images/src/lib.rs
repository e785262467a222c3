//! All container images of the simulated world: what the registries hold and the programs that
//! run in containers. One file per image, and a line in [`all`], or in [`boot`] if a cluster needs
//! it to boot: that is all that the engine holds which a page loads first.
//!
//! It knows `runtime`'s processes and plain facts about images. Programs that are clients of the
//! API server in reality (kube-proxy, CoreDNS, flannel) are clients of it here, under their own
//! service accounts. It must never decide anything by the name of an object or a manifest.
//!
//! # Which images exist
//! - An image listed in [`all`] exists with the tags that its [`Tags`] allow.
//! - Docker's official library, which plain names such as `redis` mean, is a closed list: a
//!   plain name outside it does not exist.
//! - A registry under a domain reserved for examples and tests (`.example`, `.invalid`,
//!   `.test`) cannot be resolved, and nothing listens on `localhost`.
//! - Everything else that is well formed exists, under any tag.
//!
//! # What runs in an image that is not listed
//! A server that runs until it is asked to end, if the pod gives no command. If it gives one,
//! the usual Unix commands are found, and nothing else.

use std::sync::Arc;

use runtime::ImageCatalogue;

mod apps;
mod busybox;
mod catalogue;
mod control_plane;
mod coredns;
mod flannel;
mod kube_proxy;
mod net;
mod nginx;
mod official;
mod pause;
mod server;
mod shell;
mod tags;
mod userland;

pub use catalogue::{BootCatalogue, Catalogue, ImageDefinition};
pub use tags::Tags;

/// The catalogue of all images, to hand to every node.
#[must_use]
pub fn catalogue() -> Arc<dyn ImageCatalogue> {
    Arc::new(Catalogue)
}

/// The catalogue of the images that a cluster boots with: whoever links no more than this holds
/// no other image's programs.
#[must_use]
pub fn boot_catalogue() -> Arc<dyn ImageCatalogue> {
    Arc::new(BootCatalogue)
}

/// The images that a cluster boots with.
#[must_use]
pub fn boot() -> &'static [&'static ImageDefinition] {
    static BOOT: &[&ImageDefinition] = &[
        &pause::IMAGE,
        &control_plane::ETCD,
        &control_plane::KUBE_APISERVER,
        &control_plane::KUBE_CONTROLLER_MANAGER,
        &control_plane::KUBE_SCHEDULER,
        &coredns::IMAGE,
        &flannel::IMAGE,
        &flannel::PLUGIN,
        &kube_proxy::IMAGE,
    ];
    BOOT
}

/// All other images that are more than a server, each with its programs.
#[must_use]
pub fn all() -> &'static [&'static ImageDefinition] {
    static ALL: &[&ImageDefinition] = &[
        &nginx::IMAGE,
        &nginx::SLIM,
        &busybox::IMAGE,
        &busybox::OF_KUBERNETES,
        &coredns::OF_DOCKER,
        &apps::agnhost::IMAGE,
        &apps::redis::IMAGE,
        &apps::stress::IMAGE,
        &apps::redis::FOLLOWER,
        &apps::database::MYSQL_IMAGE,
        &apps::database::MARIADB_IMAGE,
        &apps::database::POSTGRES_IMAGE,
        &apps::database::MONGO_IMAGE,
        &apps::database::MEMCACHED_IMAGE,
        &apps::voting::VOTE,
        &apps::voting::RESULT,
        &apps::voting::WORKER,
        &apps::web::HELLO_APP,
        &apps::web::HELLO_APP_PKG,
        &apps::web::NODE_HELLO,
        &apps::web::HTTP_ECHO,
        &apps::web::WHOAMI,
        &apps::web::ECHOSERVER,
        &apps::web::HTTPD,
        &apps::web::HPA_EXAMPLE,
        &apps::web::LIVENESS,
        &apps::web::WORDPRESS,
        &apps::web::GUESTBOOK,
        &apps::web::ZOOKEEPER,
        &apps::web::CASSANDRA,
    ];
    ALL
}
