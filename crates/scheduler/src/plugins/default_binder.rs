//! Binds a pod through its binding subresource.
//!
//! Upstream: pkg/scheduler/framework/plugins/defaultbinder/default_binder.go

use api::openapi::api::core::v1::Pod;
use apiserver::{Binding, Identity};

use crate::framework::{BindPlugin, Code, Plugin, PodInfo, Status};

/// The plugin.
pub struct DefaultBinder;

impl Plugin for DefaultBinder {
    fn name(&self) -> &'static str {
        "DefaultBinder"
    }

    fn as_bind(&self) -> Option<&dyn BindPlugin> {
        Some(self)
    }
}

impl BindPlugin for DefaultBinder {
    fn bind(
        &self,
        cx: &mut client::Context<'_>,
        identity: &Identity,
        pod: &PodInfo,
        node: &str,
    ) -> Status {
        let binding = Binding { node: node.to_string(), uid: pod.uid().to_string() };
        let bound = cx.api::<Pod>(identity, &pod.key.namespace).bind(&pod.key.name, binding);
        match bound {
            Ok(_) => Status::SUCCESS,
            Err(error) => Status::new(Code::Error, error.message().to_string()),
        }
    }
}
