//! What the API server knows of a kind: its names, its scope, and the strategy that defaults,
//! prepares, validates and prints its objects.

use jiff::Timestamp;
use serde_json::Value;

use crate::decode::DecodeError;
use crate::field::ErrorList;
use crate::kinds::{DECODERS, Kinded, TABLE};
use crate::{Object, Resource};

/// Names a kind of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KindId(pub(crate) u16);

impl KindId {
    /// The kind that is named.
    #[must_use]
    pub fn get(self) -> &'static Kind {
        &TABLE[usize::from(self.0)]
    }

    /// The id as a number, for digests and tables.
    #[must_use]
    pub fn number(self) -> u16 {
        self.0
    }
}

impl sim::Digestible for KindId {
    fn digest(&self, digest: &mut sim::Digest) {
        digest.u64(u64::from(self.0));
    }
}

/// Whether objects of a kind live in a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Objects have a namespace.
    Namespaced,
    /// Objects belong to the whole cluster.
    Cluster,
}

/// A column of `kubectl get`. Upstream: metav1.TableColumnDefinition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// The heading as the server sends it: `Ready`.
    pub name: &'static str,
    /// `string`, `integer`, `date` …
    pub column_type: &'static str,
    /// `name` for the column of names, else empty.
    pub format: &'static str,
    /// 0 is always shown, 1 only with `-o wide`.
    pub priority: i32,
}

impl Column {
    /// The column of names that every kind begins with.
    pub const NAME: Column =
        Column { name: "Name", column_type: "string", format: "name", priority: 0 };
    /// The column of ages.
    pub const AGE: Column = Column { name: "Age", column_type: "string", format: "", priority: 0 };

    /// A text that is always shown.
    #[must_use]
    pub const fn string(name: &'static str) -> Column {
        Column { name, column_type: "string", format: "", priority: 0 }
    }

    /// A whole number that is always shown.
    #[must_use]
    pub const fn integer(name: &'static str) -> Column {
        Column { name, column_type: "integer", format: "", priority: 0 }
    }

    /// The same column, shown only with `-o wide`.
    #[must_use]
    pub const fn wide(self) -> Column {
        Column { priority: 1, ..self }
    }
}

/// One cell of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// A text.
    String(String),
    /// A whole number.
    Integer(i64),
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Cell::String(text.to_string())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Cell::String(text)
    }
}

impl From<i32> for Cell {
    fn from(number: i32) -> Self {
        Cell::Integer(i64::from(number))
    }
}

impl From<i64> for Cell {
    fn from(number: i64) -> Self {
        Cell::Integer(number)
    }
}

impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Cell::String(text) => f.write_str(text),
            Cell::Integer(number) => write!(f, "{number}"),
        }
    }
}

/// How objects of one kind are defaulted, prepared, validated and printed: one file per kind
/// in `kinds/`. Upstream: pkg/registry/*/*/strategy.go and pkg/apis/*/v1/defaults.go.
pub trait Strategy {
    /// The typed object.
    type Object: Resource + Kinded;
    /// Whether its objects live in a namespace.
    const SCOPE: Scope;
    /// The name in the singular: `pod`.
    const SINGULAR: &'static str;
    /// Short names: `po`.
    const SHORT_NAMES: &'static [&'static str] = &[];
    /// Categories: `all`.
    const CATEGORIES: &'static [&'static str] = &[];
    /// Subresources that are served: `status`, `scale`, `binding` …
    const SUBRESOURCES: &'static [&'static str] = &[];
    /// Whether the server keeps `metadata.generation`.
    const HAS_GENERATION: bool = false;
    /// Whether an update may leave out the resource version and so overwrite whatever is stored.
    const ALLOWS_UNCONDITIONAL_UPDATE: bool = true;
    /// Whether the answer to a deletion is the deleted object instead of a Status.
    const RETURNS_DELETED_OBJECT: bool = false;
    /// Whether the garbage collector looks after its objects: if not, deletion never adds the
    /// finalizers by which it acts.
    const IS_GARBAGE_COLLECTED: bool = true;
    /// Whether dependents stay when a deletion does not say what becomes of them.
    /// Upstream: rest.GarbageCollectionDeleteStrategy, DefaultGarbageCollectionPolicy.
    const ORPHANS_DEPENDENTS: bool = false;
    /// The grace period that deletion gives when the request names none, in seconds; `None`
    /// for kinds that are deleted at once.
    fn default_grace_period_seconds(_object: &Self::Object) -> Option<i64> {
        None
    }
    /// Sets the defaults of fields that are not set.
    fn default(_object: &mut Self::Object) {}
    /// Clears what a creator may not set, and sets what creation sets.
    fn prepare_for_create(_object: &mut Self::Object) {}
    /// Keeps what an update may not change.
    fn prepare_for_update(_new: &mut Self::Object, _old: &Self::Object) {}
    /// Keeps what an update of the status may not change.
    fn prepare_for_status_update(_new: &mut Self::Object, _old: &Self::Object) {}
    /// Whether the two differ in what `metadata.generation` counts; asked when
    /// [`Strategy::HAS_GENERATION`].
    fn spec_changed(_new: &Self::Object, _old: &Self::Object) -> bool {
        false
    }
    /// Everything wrong with a new object.
    fn validate(_object: &Self::Object) -> ErrorList {
        ErrorList::new()
    }
    /// Everything wrong with a change.
    fn validate_update(_new: &Self::Object, _old: &Self::Object) -> ErrorList {
        ErrorList::new()
    }
    /// Everything wrong with a change of the status.
    fn validate_status_update(_new: &Self::Object, _old: &Self::Object) -> ErrorList {
        ErrorList::new()
    }
    /// The columns of its table.
    fn columns() -> &'static [Column] {
        &[Column::NAME, Column::AGE]
    }
    /// The cells of one row, one for each column.
    fn row(object: &Self::Object, now: Timestamp) -> Vec<Cell>;
    /// The value of a field that `fieldSelector` may name, beside `metadata.name` and
    /// `metadata.namespace`; `None` when the kind does not support the field.
    fn selectable_field(_object: &Self::Object, _field: &str) -> Option<String> {
        None
    }
    /// The names of the fields that [`Strategy::selectable_field`] answers.
    const SELECTABLE_FIELDS: &'static [&'static str] = &[];
}

/// A kind of the table: what [`Strategy`] says of it.
#[derive(Debug)]
pub struct Kind {
    /// Its id.
    pub id: KindId,
    /// The API group, empty for the core group.
    pub group: &'static str,
    /// The version: `v1`.
    pub version: &'static str,
    /// The kind: `Pod`.
    pub kind: &'static str,
    /// `apiVersion` as manifests say it: `apps/v1`.
    pub api_version: &'static str,
    /// The resource's name: `pods`.
    pub plural: &'static str,
    /// The resource's name in the singular: `pod`.
    pub singular: &'static str,
    /// Short names: `po`.
    pub short_names: &'static [&'static str],
    /// Categories: `all`.
    pub categories: &'static [&'static str],
    /// Subresources that are served.
    pub subresources: &'static [&'static str],
    /// Whether objects live in a namespace.
    pub scope: Scope,
    /// Whether the server keeps `metadata.generation`.
    pub has_generation: bool,
    /// See [`Strategy::ALLOWS_UNCONDITIONAL_UPDATE`].
    pub allows_unconditional_update: bool,
    /// See [`Strategy::RETURNS_DELETED_OBJECT`].
    pub returns_deleted_object: bool,
    /// See [`Strategy::IS_GARBAGE_COLLECTED`].
    pub is_garbage_collected: bool,
    /// See [`Strategy::ORPHANS_DEPENDENTS`].
    pub orphans_dependents: bool,
    /// Fields that `fieldSelector` may name, beside name and namespace.
    pub selectable_fields: &'static [&'static str],
    /// See [`Strategy::columns`].
    pub columns: fn() -> &'static [Column],
}

/// What [`Strategy`] does with objects of a kind, with the type erased. Objects bring it along,
/// and the table of kinds does not have it: so a program in which nobody makes an object of a kind
/// holds no code of that kind.
#[derive(Debug)]
pub struct Behaviour {
    /// See [`Strategy::default_grace_period_seconds`].
    pub default_grace_period_seconds: fn(&Object) -> Option<i64>,
    /// See [`Strategy::default`].
    pub default: fn(&mut Object),
    /// See [`Strategy::prepare_for_create`].
    pub prepare_for_create: fn(&mut Object),
    /// See [`Strategy::prepare_for_update`].
    pub prepare_for_update: fn(&mut Object, &Object),
    /// See [`Strategy::prepare_for_status_update`].
    pub prepare_for_status_update: fn(&mut Object, &Object),
    /// See [`Strategy::spec_changed`].
    pub spec_changed: fn(&Object, &Object) -> bool,
    /// See [`Strategy::validate`].
    pub validate: fn(&Object) -> ErrorList,
    /// See [`Strategy::validate_update`].
    pub validate_update: fn(&Object, &Object) -> ErrorList,
    /// See [`Strategy::validate_status_update`].
    pub validate_status_update: fn(&Object, &Object) -> ErrorList,
    /// See [`Strategy::row`].
    pub row: fn(&Object, Timestamp) -> Vec<Cell>,
    /// See [`Strategy::selectable_field`].
    pub selectable_field: fn(&Object, &str) -> Option<String>,
}

impl Kind {
    /// The table's entry for the kind that `S` describes.
    pub(crate) const fn of<S: Strategy>() -> Kind {
        Kind {
            id: S::Object::ID,
            group: <S::Object as k8s_openapi::Resource>::GROUP,
            version: <S::Object as k8s_openapi::Resource>::VERSION,
            kind: <S::Object as k8s_openapi::Resource>::KIND,
            api_version: <S::Object as k8s_openapi::Resource>::API_VERSION,
            plural: <S::Object as k8s_openapi::Resource>::URL_PATH_SEGMENT,
            singular: S::SINGULAR,
            short_names: S::SHORT_NAMES,
            categories: S::CATEGORIES,
            subresources: S::SUBRESOURCES,
            scope: S::SCOPE,
            has_generation: S::HAS_GENERATION,
            allows_unconditional_update: S::ALLOWS_UNCONDITIONAL_UPDATE,
            returns_deleted_object: S::RETURNS_DELETED_OBJECT,
            is_garbage_collected: S::IS_GARBAGE_COLLECTED,
            orphans_dependents: S::ORPHANS_DEPENDENTS,
            selectable_fields: S::SELECTABLE_FIELDS,
            columns: S::columns,
        }
    }

    /// Reads an object from JSON.
    ///
    /// # Errors
    /// What is wrong with the value.
    pub fn decode(&self, value: Value) -> Result<Object, DecodeError> {
        self.decode_fields(value, &mut Vec::new())
    }

    /// Reads an object from JSON, and adds the paths of fields that the kind does not know.
    pub(crate) fn decode_fields(
        &self,
        value: Value,
        unknown_fields: &mut Vec<String>,
    ) -> Result<Object, DecodeError> {
        DECODERS[usize::from(self.id.0)](value, unknown_fields)
    }

    /// `pods`, or `deployments.apps` for a group with a name.
    #[must_use]
    pub fn group_resource(&self) -> String {
        qualified(self.plural, self.group)
    }

    /// `Pod`, or `Deployment.apps` for a group with a name.
    #[must_use]
    pub fn group_kind(&self) -> String {
        qualified(self.kind, self.group)
    }

    /// Whether objects of this kind live in a namespace.
    #[must_use]
    pub fn is_namespaced(&self) -> bool {
        self.scope == Scope::Namespaced
    }

    /// The kind that a manifest's `apiVersion` and `kind` name.
    #[must_use]
    pub fn named(api_version: &str, kind: &str) -> Option<&'static Kind> {
        TABLE.iter().find(|entry| entry.api_version == api_version && entry.kind == kind)
    }

    /// The kind that serves a resource of a group.
    #[must_use]
    pub fn serving(group: &str, plural: &str) -> Option<&'static Kind> {
        TABLE.iter().find(|entry| entry.group == group && entry.plural == plural)
    }

    /// All kinds.
    pub fn all() -> impl Iterator<Item = &'static Kind> {
        TABLE.iter()
    }
}

impl Behaviour {
    /// What the strategy `S` does.
    pub(crate) const fn of<S: Strategy>() -> Behaviour {
        Behaviour {
            default_grace_period_seconds: |object| {
                object.get::<S::Object>().and_then(S::default_grace_period_seconds)
            },
            default: |object| with_mut(object, S::default),
            prepare_for_create: |object| with_mut(object, S::prepare_for_create),
            prepare_for_update: |new, old| with_both(new, old, S::prepare_for_update),
            prepare_for_status_update: |new, old| {
                with_both(new, old, S::prepare_for_status_update);
            },
            spec_changed: |new, old| {
                let both = new.get::<S::Object>().zip(old.get::<S::Object>());
                both.is_some_and(|(new, old)| S::spec_changed(new, old))
            },
            validate: |object| object.get::<S::Object>().map(S::validate).unwrap_or_default(),
            validate_update: |new, old| errors_of(new, old, S::validate_update),
            validate_status_update: |new, old| errors_of(new, old, S::validate_status_update),
            row: |object, now| {
                object.get::<S::Object>().map(|typed| S::row(typed, now)).unwrap_or_default()
            },
            selectable_field: |object, field| {
                object.get::<S::Object>().and_then(|typed| S::selectable_field(typed, field))
            },
        }
    }
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

fn qualified(name: &str, group: &str) -> String {
    if group.is_empty() { name.to_string() } else { format!("{name}.{group}") }
}

/// Gives a part of an object back what it was. Most updates leave the part alone, and comparing
/// costs less than copying.
pub(crate) fn keep<T: Clone + PartialEq>(new: &mut T, old: &T) {
    if new != old {
        new.clone_from(old);
    }
}

fn with_mut<T: Kinded>(object: &mut Object, change: fn(&mut T)) {
    if let Some(typed) = object.get_mut::<T>() {
        change(typed);
    }
}

fn with_both<T: Kinded>(new: &mut Object, old: &Object, change: fn(&mut T, &T)) {
    if let (Some(new), Some(old)) = (new.get_mut::<T>(), old.get::<T>()) {
        change(new, old);
    }
}

fn errors_of<T: Kinded>(new: &Object, old: &Object, check: fn(&T, &T) -> ErrorList) -> ErrorList {
    match (new.get::<T>(), old.get::<T>()) {
        (Some(new), Some(old)) => check(new, old),
        _ => ErrorList::new(),
    }
}
