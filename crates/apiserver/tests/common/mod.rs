//! A server and short words for requests to it.
#![allow(dead_code, reason = "each test file uses a part of it")]

use api::{KindId, Object, Status};
use apiserver::{
    ApiServer, Body, DeleteOptions, Identity, List, ListOptions, Patch, Request, Response,
    Subresource, Verb,
};
use serde_json::{Value, json};
use sim::{Clock, Duration, Fingerprint, Time};
use trace::Trace;

pub struct Server {
    pub server: ApiServer,
    pub now: Time,
    pub identity: Identity,
    pub dry_run: bool,
}

pub fn object(value: Value) -> Object {
    let text = |field: &str| value[field].as_str().unwrap_or_default().to_string();
    let kind = api::Kind::named(&text("apiVersion"), &text("kind")).expect("a known kind");
    kind.decode(value).expect("decodes")
}

pub fn pod(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"containers": [{"name": "main", "image": "nginx"}]},
    })
}

pub fn config_map(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default"},
        "data": {"a": "1"},
    })
}

pub fn deployment(name: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "main", "image": "nginx"}]},
            },
        },
    })
}

pub fn grace(seconds: i64) -> DeleteOptions {
    DeleteOptions { grace_period_seconds: Some(seconds), ..DeleteOptions::default() }
}

impl Server {
    /// A server with a namespace `default` that takes pods.
    pub fn new() -> Self {
        let mut server = Server {
            server: ApiServer::new(1, Clock::new(1_767_225_600)),
            now: Time::ZERO,
            identity: Identity::administrator(),
            dry_run: false,
        };
        for namespace in ["default", "kube-node-lease"] {
            server.namespace(namespace);
        }
        server
    }

    pub fn namespace(&mut self, name: &str) {
        self.create(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}))
            .expect("created");
        let account = json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": "default", "namespace": name},
        });
        self.create(account).expect("created");
    }

    pub fn advance(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    pub fn request(
        &mut self,
        (verb, kind): (Verb, KindId),
        (namespace, name): (&str, &str),
        subresource: Subresource,
        body: Body,
    ) -> Result<Response, Status> {
        let request = Request {
            identity: self.identity.clone(),
            verb,
            kind,
            namespace: namespace.to_string(),
            name: name.to_string(),
            subresource,
            body,
            dry_run: self.dry_run,
        };
        self.server.handle(self.now, &mut Trace::new(0), request)
    }

    pub fn create(&mut self, value: Value) -> Result<Object, Status> {
        let object = object(value);
        let namespace = object.namespace().to_string();
        let call = (Verb::Create, object.kind_id());
        self.request(call, (&namespace, ""), Subresource::None, Body::Object(object)).map(one)
    }

    pub fn update(&mut self, object: Object) -> Result<Object, Status> {
        self.update_part(Subresource::None, object)
    }

    pub fn update_part(&mut self, part: Subresource, object: Object) -> Result<Object, Status> {
        let (namespace, name) = (object.namespace().to_string(), object.name().to_string());
        let call = (Verb::Update, object.kind_id());
        self.request(call, (&namespace, &name), part, Body::Object(object)).map(one)
    }

    pub fn get(&mut self, kind: KindId, name: &str) -> Result<Object, Status> {
        let namespace = if kind.get().is_namespaced() { "default" } else { "" };
        self.request((Verb::Get, kind), (namespace, name), Subresource::None, Body::None).map(one)
    }

    pub fn patch(&mut self, kind: KindId, name: &str, patch: Patch) -> Result<Object, Status> {
        let namespace = if kind.get().is_namespaced() { "default" } else { "" };
        let body = Body::Patch(patch);
        self.request((Verb::Patch, kind), (namespace, name), Subresource::None, body).map(one)
    }

    /// Changes an object as a component does.
    pub fn change(
        &mut self,
        object: &Object,
        part: Subresource,
        change: impl FnOnce(&mut Object) + 'static,
    ) -> Result<Object, Status> {
        let (namespace, name) = (object.namespace().to_string(), object.name().to_string());
        let body = Body::Patch(Patch::Change(Box::new(change)));
        self.request((Verb::Patch, object.kind_id()), (&namespace, &name), part, body).map(one)
    }

    pub fn delete(
        &mut self,
        kind: KindId,
        name: &str,
        options: DeleteOptions,
    ) -> Result<Response, Status> {
        let namespace = if kind.get().is_namespaced() { "default" } else { "" };
        let body = Body::Delete(options);
        self.request((Verb::Delete, kind), (namespace, name), Subresource::None, body)
    }

    pub fn list(&mut self, kind: KindId, options: ListOptions) -> Result<List, Status> {
        let body = Body::List(options);
        let answer = self.request((Verb::List, kind), ("", ""), Subresource::None, body)?;
        let Response::List(list) = answer else { panic!("no list") };
        Ok(list)
    }

    pub fn fingerprint(&mut self) -> Fingerprint {
        self.server.fingerprint()
    }
}

pub fn one(response: Response) -> Object {
    match response {
        Response::Object(object) | Response::Deleted(object) => object,
        other => panic!("no object: {other:?}"),
    }
}

pub fn names(list: &List) -> Vec<&str> {
    list.items.iter().map(Object::name).collect()
}
