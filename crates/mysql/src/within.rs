//! A future inside a span, as [`tracing::Instrument`] has it, but for one thing: a future that came to its end is
//! dropped then, in the scope that it ended in, and the span is not entered again for nothing. One that is
//! dropped before its end is dropped inside the span too: what it gives back belongs there.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use tracing::Span;

pin_project_lite::pin_project! {
    /// A future and the span around it.
    pub(crate) struct Within<F> {
        #[pin]
        work: Option<F>,
        span: Span,
    }

    impl<F> PinnedDrop for Within<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.work.is_some() {
                let _entered = this.span.enter();
                this.work.set(None);
            }
        }
    }
}

/// `work` inside `span`.
pub(crate) fn within<F: Future>(span: Span, work: F) -> Within<F> {
    Within { work: Some(work), span }
}

impl<F> Within<F> {
    /// The span, which outlives the work.
    pub(crate) fn span(&self) -> &Span {
        &self.span
    }
}

impl<F: Future> Future for Within<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        // Polled after its end it never ends again, as other futures may.
        let Some(work) = this.work.as_mut().as_pin_mut() else { return Poll::Pending };
        let _entered = this.span.enter();
        let polled = work.poll(context);
        if polled.is_ready() {
            this.work.set(None);
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;
    use std::sync::Arc;
    use tracing_subscriber::layer::{Context as LayerContext, Layer, SubscriberExt};
    use tracing_subscriber::registry::LookupSpan;

    /// Says where it was dropped.
    struct Told(Arc<Mutex<Vec<&'static str>>>);

    impl Drop for Told {
        fn drop(&mut self) {
            let name = Span::current().metadata().map_or("nowhere", |metadata| metadata.name());
            self.0.lock().push(name);
        }
    }

    /// Counts how often a span is entered.
    struct Entries(Arc<Mutex<usize>>);

    impl<S: tracing::Subscriber + for<'l> LookupSpan<'l>> Layer<S> for Entries {
        fn on_enter(&self, _: &tracing::span::Id, _: LayerContext<'_, S>) {
            *self.0.lock() += 1;
        }
    }

    fn polled<F: Future>(future: Pin<&mut F>) -> bool {
        future.poll(&mut Context::from_waker(std::task::Waker::noop())).is_ready()
    }

    #[test]
    fn what_a_future_holds_is_dropped_inside_its_span_however_it_ends_and_no_entry_is_made_for_nothing() {
        let (dropped, entries) = (Arc::<Mutex<Vec<_>>>::default(), Arc::<Mutex<usize>>::default());
        let subscriber = tracing_subscriber::registry().with(Entries(Arc::clone(&entries)));
        let _default = tracing::subscriber::set_default(subscriber);
        let work = |ends: bool| {
            let told = Told(Arc::clone(&dropped));
            async move {
                let _told = told;
                if !ends {
                    std::future::pending::<()>().await;
                }
            }
        };
        {
            let mut ended = std::pin::pin!(within(tracing::info_span!("one"), work(true)));
            assert!(polled(ended.as_mut()));
            assert_eq!((&*dropped.lock(), *entries.lock()), (&vec!["one"], 1));
        }
        assert_eq!(*entries.lock(), 1, "entered to drop what had ended");
        {
            let mut cut = std::pin::pin!(within(tracing::info_span!("two"), work(false)));
            assert!(!polled(cut.as_mut()));
        }
        drop(within(tracing::info_span!("three"), work(true)));
        assert_eq!(*dropped.lock(), ["one", "two", "three"]);
    }
}
