//! Making routers and exchanging their codecs.

use crate::command::{CreateRouter, UpdateMediaCodecs};
use crate::core::Core;
use crate::error::{CreateRouterError, NotFoundError, UpdateMediaCodecsError};
use crate::router::Router;
use tureen_rtp_dictionaries::{RtpCapabilities, generate_router_rtp_capabilities};
use tureen_rtp_wire::Time;
use tureen_transport::Transport;

impl<T: Transport> Core<T> {
    pub(crate) fn create_router(
        &mut self,
        _now: Time,
        request: CreateRouter,
    ) -> Result<RtpCapabilities, CreateRouterError> {
        if self.index.routers.contains_key(&request.id) {
            return Err(CreateRouterError::AlreadyExists(request.id));
        }
        let capabilities = generate_router_rtp_capabilities(&request.options.media_codecs)?;
        let router = Router {
            id: request.id,
            capabilities: capabilities.clone(),
            transports: Vec::new(),
            sources: Vec::new(),
            data_sources: Vec::new(),
            observers: Vec::new(),
        };
        let key = self.routers.insert(router);
        self.index.routers.insert(request.id, key);
        Ok(capabilities)
    }

    pub(crate) fn update_media_codecs(
        &mut self,
        _now: Time,
        request: UpdateMediaCodecs,
    ) -> Result<RtpCapabilities, UpdateMediaCodecsError> {
        let key = self.index.routers.get(&request.id).copied();
        let router =
            key.and_then(|key| self.routers.get_mut(key)).ok_or(NotFoundError::Router(request.id))?;
        router.capabilities = generate_router_rtp_capabilities(&request.options.media_codecs)?;
        Ok(router.capabilities.clone())
    }
}
