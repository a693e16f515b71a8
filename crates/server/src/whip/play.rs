//! WHEP: an offer becomes a peer that nobody is told of, and each section that receives a consumer of the newest producer
//! that it can receive. Must not know publishers.

use super::answer::{Section, answer};
use super::offer::offer;
use super::problem::Problem;
use super::session::{Kind, Opening};
use crate::http::App;
use crate::http::bearer::token;
use crate::refusal::Refusal;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::response::Response;
use serde::Deserialize;
use std::sync::Arc;
use tureen::dictionaries::DtlsState;
use tureen::{Consumer, ConsumerNumbering, ConsumerOptions, Producer, ProducerId, Transport};
use tureen_room::{CloseReason, Peer, Room};
use tureen_sdp_bridge::{Offer, OfferedMedia};

/// What a viewer may ask for.
#[derive(Deserialize)]
pub(super) struct PlayQuery {
    /// Whose media. Default: whoever came last.
    peer: Option<String>,
}

/// `POST /whep/{room}`.
pub(super) async fn play(
    State(app): State<Arc<App>>,
    Path(room): Path<String>,
    query: Result<Query<PlayQuery>, QueryRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let grant = app.access.to_room(token(request.headers()), &room)?;
    let Query(query) = query.map_err(|error| Problem::new(error.status(), error.body_text()))?;
    let path = request.uri().path().to_owned();
    let offer = offer(request).await?;
    // Refuses names that no room can have.
    app.rooms.rtp_capabilities(&room)?;
    let found = app.rooms.room(&room).map_err(|_| nothing_to_watch())?;
    let wanted = choose(&found, query.peer.as_deref(), &offer)?;
    let opening = Opening::new(&app, Kind::Viewer, &room, &grant, &offer).await?;
    let sections = consume(&opening, &offer, &wanted).await?;
    resume_when_connected(&opening);
    leave_with_sources(&opening.peer)?;
    let answer = answer(&offer, &opening.transport, &sections)?;
    opening.finish(&app, &path, &offer, answer).await
}

/// Nobody sends yet; that may change.
fn nothing_to_watch() -> Problem {
    Problem::new(StatusCode::CONFLICT, "nobody sends anything yet").with(header::RETRY_AFTER, "2")
}

/// What each section is to get.
fn choose(room: &Room, peer: Option<&str>, offer: &Offer) -> Result<Vec<Option<ProducerId>>, Problem> {
    if let Some(id) = peer
        && !room.peer(id).is_some_and(|peer| peer.joined())
    {
        return Err(Refusal::unknown("peer", id).into());
    }
    let mut sources = room.producers();
    sources.retain(|(owner, _)| peer.is_none_or(|peer| peer == owner));
    if sources.is_empty() {
        return Err(nothing_to_watch());
    }
    let mut newest: Vec<Producer> = sources.into_iter().rev().map(|(_, producer)| producer).collect();
    let mut choices = Vec::with_capacity(offer.media.len());
    for media in &offer.media {
        choices.push(take(&mut newest, room, media)?);
    }
    if choices.iter().all(Option::is_none) {
        return Err(Problem::unprocessable("the offer receives nothing that is sent in the room"));
    }
    Ok(choices)
}

/// The first producer that a section can receive; no other section gets it.
fn take(
    producers: &mut Vec<Producer>,
    room: &Room,
    media: &OfferedMedia,
) -> Result<Option<ProducerId>, Problem> {
    let (true, Some(kind)) = (media.receives(), media.media_kind()) else { return Ok(None) };
    if media.mid.is_none() {
        return Err(Problem::unprocessable(format!("line {}: the m-line lacks a=mid", media.line)));
    }
    let capabilities = media.rtp_capabilities();
    let fits = |producer: &Producer| {
        producer.kind() == kind && room.router().can_consume(&producer.id(), &capabilities).unwrap_or(false)
    };
    Ok(producers.iter().position(fits).map(|place| producers.remove(place).id()))
}

/// Makes the consumers, paused: nothing could carry their media yet.
async fn consume(
    opening: &Opening,
    offer: &Offer,
    wanted: &[Option<ProducerId>],
) -> Result<Vec<Section>, Problem> {
    let mut sections = Vec::with_capacity(offer.media.len());
    for (media, producer) in offer.media.iter().zip(wanted) {
        sections.push(match producer {
            Some(producer) => {
                let mut options = ConsumerOptions::new(*producer, media.rtp_capabilities());
                options.paused = true;
                options.numbering = ConsumerNumbering::Receiver;
                options.mid.clone_from(&media.mid);
                let consumed = opening.peer.consume_with(&opening.transport.id(), options).await;
                Section::Sent(consumed.map_err(Refusal::from)?.rtp_parameters().clone())
            }
            None if media.media_kind().is_some() && !media.rejected => Section::Inactive,
            None => Section::Rejected,
        });
    }
    Ok(sections)
}

/// Resuming asks for a key frame, so that the first picture comes as soon as it can.
fn resume_when_connected(opening: &Opening) {
    let owner = opening.peer.clone();
    let runtime = tokio::runtime::Handle::current();
    opening
        .transport
        .on_dtls_state_change(move |state| {
            if *state == DtlsState::Connected {
                runtime.spawn(resume_all(owner.clone()));
            }
        })
        .detach();
}

/// Whoever has nothing to see any more is told by the end of the session, and may ask for what comes next. Refuses where all ended meanwhile.
fn leave_with_sources(peer: &Peer) -> Result<(), Problem> {
    let has_nothing = |peer: &Peer| peer.consumers().iter().all(Consumer::closed);
    for consumer in peer.consumers() {
        let owner = peer.clone();
        let listener = move || {
            if has_nothing(&owner) {
                owner.close_because(CloseReason::Left);
            }
        };
        consumer.on_producer_close(listener).detach();
    }
    if has_nothing(peer) { Err(nothing_to_watch()) } else { Ok(()) }
}

async fn resume_all(peer: Peer) {
    for consumer in peer.consumers() {
        if let Err(error) = consumer.resume().await {
            tracing::debug!(peer = peer.id(), %error, "not resumed");
        }
    }
}
