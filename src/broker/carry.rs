//! Commands, carried out. Nothing here waits.

use std::time::{Duration, Instant};

use tracing::{error, info, warn};

use super::{
    AgentOrder, Offer, TechnicianNotice, TokenRefused, beam::Beam, news::News, recorder::Job,
};
use crate::{
    audit::{Flow, OfferFault},
    clock::Now,
    ids::{ChannelNo, SessionId},
    relay::{self, How, Tally},
    session::{Command, EarNo, Input, Lead, Outcome, RelayEnd},
    store::{Ended, WriteError},
    token::JoinToken,
    warrant::{SignedWarrant, Warrant},
};

/// How long flows wait for others, so that a burst of short connections is one transaction.
const FLOWS_WAIT: Duration = Duration::from_secs(1);

/// Flows of one batch at most; a full batch does not wait.
const FLOWS_MAX: usize = 1_024;

/// How long the `Started` record may take; then the session has not started.
const RECORD_WITHIN: Duration = Duration::from_secs(10);

impl Beam {
    pub(super) fn carry_out(&mut self, command: Command, now: Now) {
        match command {
            Command::Offer { session, channel, lead, token } => {
                self.offer(session, channel, lead, token, now);
            }
            Command::Admit { ear, session, channel, token } => {
                self.notify(ear, TechnicianNotice::Channel { session, channel, token });
            }
            Command::Seat { ask, seat } => {
                if let Some(reply) = self.seat_asks.remove(&ask) {
                    let _ = reply.send(Ok(seat));
                }
            }
            Command::RefuseLeg { ask } => {
                if let Some(reply) = self.seat_asks.remove(&ask) {
                    let _ = reply.send(Err(TokenRefused));
                }
            }
            Command::DropLeg(seat) => {
                if let Some(strand) = self.strands.get_mut(&seat.session) {
                    strand.drop_leg(seat.channel, seat.side);
                }
            }
            Command::RecordStarted(session) => self.record_started(session),
            Command::Relay { session, channel } => self.relay(session, channel, now),
            Command::AskQuiet(session) => {
                let since = self.strands.get(&session).and_then(super::strand::Strand::newest);
                self.follow_ups.push_back(Input::Quiet { session, since });
            }
            Command::Cut { session, cause } => {
                info!(%session, %cause, "session ends");
                if let Some(strand) = self.strands.get_mut(&session) {
                    strand.cut();
                }
                self.rounds.cut(&session);
            }
            Command::TellEnded { session, ear, device, cause } => {
                self.notify(ear, TechnicianNotice::Ended { session: session.clone(), cause });
                if let Some(agent) = self.agents.get(&device) {
                    // An agent that hears nothing any more is found by its next offer or heartbeat.
                    let _ = agent.orders.try_send(Box::new(AgentOrder::Ended { session, cause }));
                }
            }
            Command::TellRefused { ear, session, channel, fault, detail } => {
                let refused = TechnicianNotice::ChannelRefused { session, channel, fault, detail };
                self.notify(ear, refused);
            }
            Command::RecordFlow { session, channel, lead, tally, began, ended } => {
                let Lead { target, destination } = lead;
                let Tally { up, down } = tally;
                let flow = Flow { session, channel, target, destination, began, ended, up, down };
                self.keep_flow(flow, now.mono);
            }
            Command::RecordEnded { session, cause, by, tally } => {
                self.index.remove(&session);
                self.rounds.gone(&session);
                self.strands.remove(&session);
                let Tally { up, down } = tally;
                // Its flows stand before its end.
                self.flush_flows();
                self.record(Job::Ended(Box::new(Ended {
                    session,
                    cause,
                    at: now.wall,
                    up,
                    down,
                    by,
                })));
            }
        }
    }

    /// Tells a technician; who does not listen is gone.
    fn notify(&mut self, ear: EarNo, notice: TechnicianNotice) {
        let Some(notices) = self.ears.get(&ear) else { return };
        if notices.try_send(notice).is_err() {
            self.ears.remove(&ear);
            self.follow_ups.push_back(Input::TechnicianDeparted(ear));
        }
    }

    fn offer(
        &mut self,
        session: SessionId,
        channel: ChannelNo,
        lead: Option<Lead>,
        token: JoinToken,
        now: Now,
    ) {
        let Some(view) = self.sessions.get(&session) else { return };
        let device = view.snapshot.device.clone();
        let Some(agent) = self.agents.get(&device) else {
            self.follow_ups.push_back(Input::Departed(device));
            return;
        };
        let connection = agent.connection;
        let nonce = agent.nonce.clone();
        let warrant = match self.warrant(&session, &nonce, now) {
            Ok(warrant) => warrant,
            Err(error) => {
                error!(%session, %error, "no warrant can be signed");
                let (fault, detail) = (OfferFault::Internal, "no warrant can be signed".into());
                let refused = Input::OfferRefused { device, session, channel, fault, detail };
                self.follow_ups.push_back(refused);
                return;
            }
        };
        let (target, destination) = match lead {
            Some(Lead { target, destination }) => (Some(target), Some(destination)),
            None => (None, None),
        };
        let offer = Offer { session, channel, warrant, target, destination, token };
        let order = Box::new(AgentOrder::Offer(offer));
        let Some(agent) = self.agents.get(&device) else { return };
        if agent.orders.try_send(order).is_err() {
            warn!(%device, "does not take its orders: it counts as gone");
            if self.ends.registry.depart(&device, connection) {
                self.agents.remove(&device);
            }
            self.follow_ups.push_back(Input::Departed(device));
        }
    }

    /// What the device checks by itself; signed once as long as it says the same.
    fn warrant(
        &mut self,
        session: &SessionId,
        nonce: &str,
        now: Now,
    ) -> Result<SignedWarrant, Unsigned> {
        let view = self.sessions.get(session).ok_or(Unsigned::Gone)?;
        let strand = self.strands.get_mut(session).ok_or(Unsigned::Gone)?;
        if let Some(signed) = strand.warrant(nonce, view.expires) {
            return Ok(signed);
        }
        let snapshot = view.snapshot;
        let warrant = Warrant {
            session: session.clone(),
            device: snapshot.device.clone(),
            nonce: nonce.to_owned(),
            person: snapshot.person.clone(),
            person_name: snapshot.person_name.clone(),
            tenant_name: snapshot.tenant_name.clone(),
            case: snapshot.case().cloned(),
            asset: snapshot.asset.clone(),
            tunnel: snapshot.tunnel_name.clone(),
            mode: snapshot.mode,
            targets: snapshot.targets.clone(),
            technician_key: snapshot.technician.key,
            issued: now.wall,
            until: view.expires,
        };
        let signed = self.ends.warrant_key.sign(&warrant)?;
        strand.keep_warrant(nonce, warrant.until, signed.clone());
        Ok(signed)
    }

    fn record_started(&self, session: SessionId) {
        let Some(view) = self.sessions.get(&session) else { return };
        let request = view.grant.request().clone();
        let (store, news) = (self.ends.store.clone(), self.ends.news.clone());
        self.ends.scope.spawn("start", async move {
            let now = Now::read();
            let request = crate::authz::Request { at: now.wall, ..request };
            let starting = store.start_session(&session, &request, now);
            let outcome = match tokio::time::timeout(RECORD_WITHIN, starting).await {
                Ok(Ok(started)) => {
                    Outcome::Started { grant: started.grant, facts: Box::new(started.facts) }
                }
                Ok(Err(WriteError::Denied(denial))) => Outcome::Denied(denial),
                Ok(Err(error @ (WriteError::Conflict(_) | WriteError::Store(_)))) => {
                    error!(%session, %error, "the start could not be recorded");
                    Outcome::Failed
                }
                Err(_) => {
                    error!(%session, "the start was not recorded in time");
                    Outcome::Failed
                }
            };
            let _ = news.send(News::Recorded { session, outcome }).await;
        });
    }

    fn relay(&mut self, session: SessionId, channel: ChannelNo, now: Now) {
        let begun = self.strands.get_mut(&session).and_then(|strand| {
            strand.begin(channel, now).map(|legs_and_meter| (legs_and_meter, strand.terms()))
        });
        let Some(((technician, device, meter), terms)) = begun else {
            error!(%session, %channel, "its legs are not here");
            let (tally, how) = (Tally::default(), RelayEnd::Closed);
            self.follow_ups.push_back(Input::RelayEnded { session, channel, tally, how });
            return;
        };
        let (pools, news) = (self.pools.clone(), self.ends.news.clone());
        self.ends.scope.spawn("splice", async move {
            let spliced = relay::splice(technician, device, meter, &terms, &pools).await;
            let how = match spliced.how {
                How::Closed | How::Failed(..) => RelayEnd::Closed,
                How::Cut => RelayEnd::Cut,
                How::LeaseLapsed => RelayEnd::LeaseLapsed,
            };
            let tally = Tally { up: spliced.up, down: spliced.down };
            let _ = news.send(News::RelayEnded { session, channel, tally, how }).await;
        });
    }

    fn keep_flow(&mut self, flow: Flow, now: Instant) {
        self.flows.push(flow);
        if self.flows.len() >= FLOWS_MAX {
            self.flush_flows();
        } else if self.flows_due.is_none() {
            self.flows_due = Some(now + FLOWS_WAIT);
        }
    }

    pub(super) fn flush_flows(&mut self) {
        self.flows_due = None;
        let flows = std::mem::take(&mut self.flows);
        if !flows.is_empty() {
            self.record(Job::Flows(flows));
        }
    }

    fn record(&self, job: Job) {
        if self.ends.jobs.try_send(job).is_err() {
            error!("too many records wait to be written: one is lost");
        }
    }
}

/// Why a warrant was not signed.
#[derive(Debug, thiserror::Error)]
enum Unsigned {
    #[error("the session is gone")]
    Gone,
    #[error("it cannot be written")]
    Json(#[from] serde_json::Error),
}
