import Dispatch

/// Looks at what waits, four times a second, on a thread that no work of a store holds up.
// `@unchecked`: the timer is set up in `init` and from then on only cancelled, which Dispatch takes from any thread.
package final class StoreWatch: @unchecked Sendable {
  private let timer: any DispatchSourceTimer

  package init(every interval: DispatchTimeInterval = .milliseconds(250), _ look: @escaping @Sendable () -> Void) {
    timer = DispatchSource.makeTimerSource(queue: DispatchQueue(label: "tracseq.store.watch"))
    timer.schedule(deadline: .now() + interval, repeating: interval, leeway: .milliseconds(20))
    timer.setEventHandler(handler: look)
    timer.resume()
  }

  deinit { timer.cancel() }

  package func cancel() { timer.cancel() }
}
