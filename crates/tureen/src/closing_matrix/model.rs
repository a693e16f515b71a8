//! What `docs/CLOSING.md` says, as a tree of names: who closes with whom, and what is told in which order. Must not know a handle.

/// What an object of the matrix is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Worker,
    Router,
    Transport,
    Producer,
    Consumer,
    DataProducer,
    DataConsumer,
    RtpObserver,
}

/// Why something closes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    Itself,
    /// The producer that it consumes.
    Source,
    /// What it hangs on.
    Above,
}

#[derive(Debug)]
struct Object {
    kind: Kind,
    name: String,
    parent: Option<usize>,
    source: Option<usize>,
    closed: bool,
}

/// All objects, in the order of their making, and what was told of them.
#[derive(Debug, Default)]
pub(super) struct Model {
    objects: Vec<Object>,
    pub(super) told: Vec<String>,
}

impl Model {
    pub(super) fn add(&mut self, kind: Kind, parent: Option<usize>, source: Option<usize>) -> usize {
        let index = self.objects.len();
        let name = name(kind, index);
        self.objects.push(Object { kind, name, parent, source, closed: false });
        index
    }

    pub(super) fn closed(&self, index: usize) -> bool {
        self.objects[index].closed
    }

    /// The object closes by its own `close()`, or with its last handle.
    pub(super) fn close(&mut self, index: usize) {
        self.end(index, Cause::Itself, index);
    }

    /// The Worker dies of `reason`.
    pub(super) fn die(&mut self, worker: usize, reason: &str) {
        if self.objects[worker].closed {
            return;
        }
        self.end_children(worker, worker);
        self.objects[worker].closed = true;
        let name = self.objects[worker].name.clone();
        self.told.push(format!("{name} died of {reason}"));
        self.told.push(format!("{name} close"));
    }

    /// Closes `index`, as part of the closing of `root`.
    fn end(&mut self, index: usize, cause: Cause, root: usize) {
        if self.objects[index].closed {
            return;
        }
        self.end_children(index, root);
        let Object { kind, name, .. } = &self.objects[index];
        let public = match (cause, kind) {
            (Cause::Itself, _) => None,
            (Cause::Source, Kind::DataConsumer) => Some("dataproducerclose"),
            (Cause::Source, _) => Some("producerclose"),
            (Cause::Above, Kind::Router) => Some("workerclose"),
            (Cause::Above, Kind::Transport | Kind::RtpObserver) => Some("routerclose"),
            (Cause::Above, _) => Some("transportclose"),
        };
        let lines = public.into_iter().chain(["close"]).map(|event| format!("{name} {event}"));
        self.told.extend(lines);
        self.objects[index].closed = true;
        // Consumers come right after their producer, unless their own transport closes by the same cause.
        let consumers: Vec<usize> = self.places(|it| it.source == Some(index) && !it.closed).collect();
        for consumer in consumers {
            if !self.hangs_on(consumer, root) {
                self.end(consumer, Cause::Source, root);
            }
        }
    }

    fn end_children(&mut self, index: usize, root: usize) {
        use Kind::{Consumer, DataConsumer, DataProducer, Producer, Router, RtpObserver, Transport, Worker};
        for kind in [Worker, Router, Transport, RtpObserver, Producer, Consumer, DataProducer, DataConsumer] {
            let children: Vec<usize> =
                self.places(|it| it.parent == Some(index) && it.kind == kind).collect();
            for child in children {
                self.end(child, Cause::Above, root);
            }
        }
    }

    fn places(&self, is_it: impl Fn(&Object) -> bool) -> impl Iterator<Item = usize> {
        self.objects.iter().enumerate().filter(move |(_, object)| is_it(object)).map(|(index, _)| index)
    }

    /// Whether `above` is what an object hangs on, at any distance. An object does not hang on itself.
    fn hangs_on(&self, index: usize, above: usize) -> bool {
        let mut parent = self.objects[index].parent;
        while let Some(place) = parent {
            if place == above {
                return true;
            }
            parent = self.objects[place].parent;
        }
        false
    }
}

/// What an object is called in the log.
pub(super) fn name(kind: Kind, index: usize) -> String {
    format!("{kind:?} {index}")
}

/// What one object may be told of its end, whatever the cause.
pub(super) fn endings(kind: Kind) -> &'static [&'static [&'static str]] {
    match kind {
        Kind::Worker => &[&["close"], &["died", "close"]],
        Kind::Router => &[&["close"], &["workerclose", "close"]],
        Kind::Transport | Kind::RtpObserver => &[&["close"], &["routerclose", "close"]],
        Kind::Producer | Kind::DataProducer => &[&["close"], &["transportclose", "close"]],
        Kind::Consumer => &[&["close"], &["transportclose", "close"], &["producerclose", "close"]],
        Kind::DataConsumer => &[&["close"], &["transportclose", "close"], &["dataproducerclose", "close"]],
    }
}
