//! Where Workers come from, and the one thread that tells listeners what happens to them.

use crate::dispatch::{Created, Task, start};
use crate::error::CreateWorkerError;
use crate::event::WorkerManagerEvent;
use crate::listeners::{Emitter, HandlerId, ListenerError, on_events};
use crate::log::LogFilter;
use crate::options::{DtlsFiles, WorkerSettings};
use crate::stream::EventStream;
use crate::worker::{Worker, WorkerParts, WorkerShared};
use crossbeam_channel::Sender;
use futures_channel::oneshot;
use std::sync::Arc;
use std::thread::ThreadId;
use tureen_media_model::WorkerId;
use tureen_runtime::Runtime;
use tureen_transport_webrtc::DtlsCertificate;
use uuid::Uuid;

/// Makes Workers and tells their listeners what happens, on a thread of its own.
///
/// The thread ends once the manager's handles and all its Workers' are gone.
#[derive(Clone)]
pub struct WorkerManager {
    tasks: Sender<Task>,
    /// The one that listeners are called on.
    thread: ThreadId,
    emitter: Emitter<WorkerManagerEvent>,
}

impl WorkerManager {
    /// Starts the thread that events are told on.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn new() -> std::io::Result<Self> {
        let (tasks, thread) = start()?;
        Ok(Self { tasks, thread, emitter: Emitter::default() })
    }

    /// Starts a Worker's shards.
    ///
    /// # Errors
    /// A port range that is empty or starts at 0, no or too many shards, or the operating system gives no threads.
    pub async fn create_worker(&self, settings: WorkerSettings) -> Result<Worker, CreateWorkerError> {
        let (min, max) = (*settings.rtc_port_range.start(), *settings.rtc_port_range.end());
        if min == 0 || min > max {
            return Err(CreateWorkerError::RtcPortRange { min, max });
        }
        let certificate = certificate(settings.dtls_files.as_ref())?;
        let runtime = Runtime::start(settings.runtime)?;
        let events = runtime.events();
        let shared = Arc::new(WorkerShared::new(WorkerParts {
            id: WorkerId(Uuid::new_v4().as_u128()),
            runtime,
            log: LogFilter::new(settings.log_level, &settings.log_tags),
            rtc_port_range: settings.rtc_port_range,
            certificate,
            app_data: settings.app_data,
            tasks: self.tasks.clone(),
        }));
        // A shard that ended already tells so itself.
        let _ = shared.ask_for_notes().await;
        shared.task(Task::Attach(Arc::clone(&shared), events));
        let worker = Worker::new(Arc::clone(&shared), self.clone());
        shared.task(Created::Worker(self.emitter.clone(), worker.downgrade()).task());
        Ok(worker)
    }

    /// Runs `task` on the thread that listeners are called on, once all that happened until now was told. It is to be short: nobody is told of
    /// anything meanwhile.
    pub fn run(&self, task: impl FnOnce() + Send + 'static) {
        // The dispatcher lives for as long as anybody can send to it.
        let _ = self.tasks.send(Task::Run(Box::new(task)));
    }

    /// Waits until listeners were told of all that happened until now. On their own thread it does not wait: who is being told cannot be waited for.
    pub async fn all_told(&self) {
        if std::thread::current().id() == self.thread {
            return;
        }
        let (sender, receiver) = oneshot::channel();
        self.run(move || {
            let _ = sender.send(());
        });
        // Never cancelled: the dispatcher carries every task out.
        let _ = receiver.await;
    }

    /// Its news as a stream.
    pub fn events(&self) -> EventStream<WorkerManagerEvent> {
        self.emitter.stream()
    }

    /// A Worker was made.
    pub fn on_new_worker(&self, listener: impl Fn(Worker) + Send + Sync + 'static) -> HandlerId {
        self.emitter.listen(move |event| {
            if let WorkerManagerEvent::NewWorker(worker) = event
                && let Some(worker) = worker.upgrade()
            {
                listener(worker);
            }
        })
    }

    on_events! { WorkerManagerEvent, |this| this.emitter;
        /// A listener of the manager panicked.
        on_listener_error => ListenerError(ListenerError);
    }
}

fn certificate(files: Option<&DtlsFiles>) -> Result<DtlsCertificate, CreateWorkerError> {
    let Some(DtlsFiles { certificate, private_key }) = files else {
        return DtlsCertificate::generate().map_err(CreateWorkerError::Certificate);
    };
    let read = |path: &std::path::Path| {
        std::fs::read_to_string(path)
            .map_err(|source| CreateWorkerError::DtlsFile { path: path.to_owned(), source })
    };
    DtlsCertificate::from_pem(&read(certificate)?, &read(private_key)?)
        .map_err(CreateWorkerError::Certificate)
}

impl std::fmt::Debug for WorkerManager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkerManager").finish_non_exhaustive()
    }
}
