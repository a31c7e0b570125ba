import Dispatch

/// Checks the waiting writes four times a second. It runs on its own thread, which no work of a store can block.
// `@unchecked`: `init` sets the timer up. After that it is only cancelled, which Dispatch allows from every thread.
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
