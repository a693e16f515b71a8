//! WHIP: an offer becomes a peer of a room, and each section that sends a producer. Must not know viewers.

use super::answer::{Section, answer};
use super::offer::offer;
use super::problem::Problem;
use super::session::{Kind, Opening};
use crate::http::App;
use crate::http::bearer::token;
use crate::refusal::Refusal;
use crate::rooms::check_name;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use std::sync::Arc;
use tureen::ProducerOptions;
use tureen::dictionaries::{MediaKind, RtpCapabilities, RtpParameters, parse_scalability_mode};
use tureen_room::{Device, Profile};
use tureen_sdp_bridge::{Offer, OfferedMedia};

/// What a publisher may say of itself.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PublishQuery {
    /// What others see. Default `WHIP`.
    name: Option<String>,
    /// The layers of what its encoders make, which SDP does not tell. Default: one.
    scalability_mode: Option<String>,
}

impl PublishQuery {
    fn check(&self) -> Result<(), Problem> {
        if let Some(name) = &self.name {
            check_name("name", name)?;
        }
        let layers = |mode: &str| parse_scalability_mode(mode);
        let odd = |mode: &&String| mode.len() > 16 || layers(mode) == layers("") && !mode.starts_with("L1T1");
        if self.scalability_mode.as_ref().is_some_and(|mode| odd(&mode)) {
            return Err(Refusal::Argument("scalabilityMode: not one such as L1T3".into()).into());
        }
        Ok(())
    }
}

/// `POST /whip/{room}`.
pub(super) async fn publish(
    State(app): State<Arc<App>>,
    Path(room): Path<String>,
    query: Result<Query<PublishQuery>, QueryRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let grant = app.access.to_room(token(request.headers()), &room)?;
    grant.check_publish()?;
    let Query(query) = query.map_err(|error| Problem::new(error.status(), error.body_text()))?;
    query.check()?;
    let path = request.uri().path().to_owned();
    let offer = offer(request).await?;
    let sections = producers(&offer, app.rooms.rtp_capabilities(&room)?, query.scalability_mode.as_deref())?;
    let opening = Opening::new(&app, Kind::Publisher, &room, &grant, &offer).await?;
    let answer = answer(&offer, &opening.transport, &sections)?;
    let name = query.name.unwrap_or_else(|| "WHIP".to_owned());
    let profile = Profile::new(name, Device::new("whip", "WHIP", ""), None);
    opening.peer.join(profile).map_err(Refusal::from)?;
    produce(&opening, &offer, sections).await?;
    opening.finish(&app, &path, &offer, answer).await
}

async fn produce(opening: &Opening, offer: &Offer, sections: Vec<Section>) -> Result<(), Problem> {
    let transport = tureen::Transport::id(&opening.transport);
    for (media, section) in offer.media.iter().zip(sections) {
        let (Section::Received(parameters), Some(kind)) = (section, media.media_kind()) else { continue };
        let produced = opening.peer.produce(&transport, ProducerOptions::new(kind, parameters)).await;
        produced.map_err(|error| match Refusal::from(error) {
            Refusal::Argument(reason) => Problem::unprocessable(format!("line {}: {reason}", media.line)),
            refusal => refusal.into(),
        })?;
    }
    Ok(())
}

/// What each section becomes. A section that sends and cannot be taken spoils the whole offer, so that nobody publishes half
/// of what they think (RFC 9725 section 4.4.3).
fn producers(offer: &Offer, router: &RtpCapabilities, mode: Option<&str>) -> Result<Vec<Section>, Problem> {
    let sections = offer.media.iter().map(|media| {
        if media.rejected {
            return Ok(Section::Rejected);
        }
        let Some(kind) = media.media_kind() else {
            return Err(Problem::unprocessable(format!(
                "line {}: only audio and video are taken",
                media.line
            )));
        };
        if media.sends() {
            producer(media, kind, router, mode).map(Section::Received)
        } else {
            Ok(Section::Inactive)
        }
    });
    let sections: Vec<Section> = sections.collect::<Result<_, _>>()?;
    if sections.iter().any(|section| matches!(section, Section::Received(_))) {
        Ok(sections)
    } else {
        Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "the offer sends nothing"))
    }
}

fn producer(
    media: &OfferedMedia,
    kind: MediaKind,
    router: &RtpCapabilities,
    mode: Option<&str>,
) -> Result<RtpParameters, Problem> {
    if media.mid.is_none() {
        return Err(Problem::unprocessable(format!("line {}: the m-line lacks a=mid", media.line)));
    }
    Ok(media.producer_rtp_parameters(router, mode.filter(|_| kind == MediaKind::Video))?)
}
