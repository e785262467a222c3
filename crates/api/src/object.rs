//! One object of any kind, shared and immutable, and the key it is stored under.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sim::{Digest, Digestible};

use crate::kind::Behaviour;
use crate::kinds::Kinded;
use crate::{Kind, KindId, encode};

/// What every typed kind can do.
pub trait Resource:
    k8s_openapi::Metadata<Ty = ObjectMeta>
    + k8s_openapi::Resource
    + Clone
    + Default
    + PartialEq
    + Serialize
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
}

impl<T> Resource for T where
    T: k8s_openapi::Metadata<Ty = ObjectMeta>
        + k8s_openapi::Resource
        + Clone
        + Default
        + PartialEq
        + Serialize
        + DeserializeOwned
        + Send
        + Sync
        + 'static
{
}

/// The content of an object whose kind is known at run time only.
pub trait AnyObject: Any + Send + Sync {
    /// The object's metadata.
    fn meta(&self) -> &ObjectMeta;
    /// The object's metadata, to change it.
    fn meta_mut(&mut self) -> &mut ObjectMeta;
    /// The object as JSON, with `apiVersion` and `kind`.
    fn to_value(&self) -> Value;
    /// Adds the object to a digest.
    fn digest(&self, digest: &mut Digest);
    /// A copy of the content.
    fn clone_content(&self) -> Arc<dyn AnyObject>;
    /// Whether `other` is of the same kind and equal in every field.
    fn equals(&self, other: &dyn AnyObject) -> bool;
    /// How objects of its kind are defaulted, validated and printed.
    fn behaviour(&self) -> &'static Behaviour;
}

impl<T: Kinded> AnyObject for T {
    fn meta(&self) -> &ObjectMeta {
        self.metadata()
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.metadata_mut()
    }

    fn to_value(&self) -> Value {
        encode::to_value(self)
    }

    fn digest(&self, digest: &mut Digest) {
        encode::digest(self, digest);
    }

    fn clone_content(&self) -> Arc<dyn AnyObject> {
        Arc::new(self.clone())
    }

    fn equals(&self, other: &dyn AnyObject) -> bool {
        (other as &dyn Any).downcast_ref::<T>() == Some(self)
    }

    fn behaviour(&self) -> &'static Behaviour {
        const { &Behaviour::of::<T::Strategy>() }
    }
}

/// A shared, immutable object of some kind. Cloning it shares the content.
#[derive(Clone)]
pub struct Object {
    kind: KindId,
    content: Arc<dyn AnyObject>,
}

impl Object {
    /// Wraps a typed object.
    pub fn new<T: Kinded>(content: T) -> Self {
        Object { kind: T::ID, content: Arc::new(content) }
    }

    /// Wraps a typed object that is shared already.
    pub fn shared<T: Kinded>(content: Arc<T>) -> Self {
        Object { kind: T::ID, content }
    }

    /// The object's kind.
    #[must_use]
    pub fn kind(&self) -> &'static Kind {
        self.kind.get()
    }

    /// The id of the object's kind.
    #[must_use]
    pub fn kind_id(&self) -> KindId {
        self.kind
    }

    /// How objects of its kind are defaulted, validated and printed.
    #[must_use]
    pub fn behaviour(&self) -> &'static Behaviour {
        self.content.behaviour()
    }

    /// The object's metadata.
    #[must_use]
    pub fn meta(&self) -> &ObjectMeta {
        self.content.meta()
    }

    /// The object's metadata, to change it. Copies the content when it is shared.
    pub fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.content_mut().meta_mut()
    }

    /// The object's content. Copies it when it is shared.
    fn content_mut(&mut self) -> &mut dyn AnyObject {
        if Arc::get_mut(&mut self.content).is_none() {
            self.content = self.content.clone_content();
        }
        Arc::get_mut(&mut self.content).expect("just copied, so nobody else holds it")
    }

    /// The content as its type, or `None` when the object is of another kind.
    #[must_use]
    pub fn get<T: Kinded>(&self) -> Option<&T> {
        (&*self.content as &dyn Any).downcast_ref::<T>()
    }

    /// The shared content as its type, or `None` when the object is of another kind.
    #[must_use]
    pub fn typed<T: Kinded>(&self) -> Option<Arc<T>> {
        let any: Arc<dyn Any + Send + Sync> = self.content.clone();
        any.downcast::<T>().ok()
    }

    /// The content as its type, to change it. Copies it when it is shared.
    pub fn get_mut<T: Kinded>(&mut self) -> Option<&mut T> {
        if self.kind != T::ID {
            return None;
        }
        (self.content_mut() as &mut dyn Any).downcast_mut::<T>()
    }

    /// The object as JSON, with `apiVersion` and `kind`.
    #[must_use]
    pub fn to_value(&self) -> Value {
        self.content.to_value()
    }

    /// The key it is stored under.
    #[must_use]
    pub fn key(&self) -> Key {
        Key::of(self.meta())
    }

    /// Its name, empty when it has none yet.
    #[must_use]
    pub fn name(&self) -> &str {
        self.meta().name.as_deref().unwrap_or_default()
    }

    /// Its namespace, empty for a cluster-scoped kind.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.meta().namespace.as_deref().unwrap_or_default()
    }

    /// Its UID, empty when it has none yet.
    #[must_use]
    pub fn uid(&self) -> &str {
        self.meta().uid.as_deref().unwrap_or_default()
    }

    /// Whether both are the same allocation, and so certainly equal.
    #[must_use]
    pub fn is_same(&self, other: &Object) -> bool {
        Arc::ptr_eq(&self.content, &other.content)
    }
}

impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        self.is_same(other) || self.content.equals(&*other.content)
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the types' own way: it is as large as all else that they do, for no one but tests.
        write!(f, "{}", self.to_value())
    }
}

impl Digestible for Object {
    fn digest(&self, digest: &mut Digest) {
        self.content.digest(digest);
    }
}

/// Namespace and name: what identifies an object within its kind. The namespace is empty for
/// cluster-scoped kinds. Keys sort as etcd sorts them, by namespace and then by name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The namespace, or an empty text.
    pub namespace: Arc<str>,
    /// The name.
    pub name: Arc<str>,
}

impl Key {
    /// A key of a namespaced object.
    #[must_use]
    pub fn new(namespace: &str, name: &str) -> Self {
        Key { namespace: namespace.into(), name: name.into() }
    }

    /// A key of a cluster-scoped object.
    #[must_use]
    pub fn cluster(name: &str) -> Self {
        Key::new("", name)
    }

    /// The key that metadata names.
    #[must_use]
    pub fn of(meta: &ObjectMeta) -> Self {
        Key::new(
            meta.namespace.as_deref().unwrap_or_default(),
            meta.name.as_deref().unwrap_or_default(),
        )
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            f.write_str(&self.name)
        } else {
            write!(f, "{}/{}", self.namespace, self.name)
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Digestible for Key {
    fn digest(&self, digest: &mut Digest) {
        digest.str(&self.namespace);
        digest.str(&self.name);
    }
}
