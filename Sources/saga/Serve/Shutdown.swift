import CSystem
import Dispatch
import Foundation
import Runtime
import Synchronization

/// Reports requests to stop the process.
///
/// The first SIGTERM or SIGINT is a request, after which the work under way may settle. The second one ends the process
/// at once, with status 1. Then nothing more is sent or stored, and the next start finds the same state as after `kill
/// -9`.
///
/// For a process that another process started, the end of standard input may also be a request. So it never outlives
/// its parent.
final class Shutdown: Sendable {
  private struct State {
    var asked = false
    var woken = false
  }
  private let state = Mutex(State())
  private let changes = WaitQueue()
  private let impatient: @Sendable () -> Void

  /// - Parameter impatient: called at a second request.
  init(impatient: @escaping @Sendable () -> Void) { self.impatient = impatient }

  /// Listens for signals, and if wanted for the end of standard input. A second request ends the process.
  static func listening(on terminal: Terminal, withInput: Bool) -> Shutdown {
    let shutdown = Shutdown {
      terminal.complain("Stopped at once.\n")
      ExitStatus.failure.leave()
    }
    shutdown.listen()
    if withInput { shutdown.listenToInput(terminal.read) }
    return shutdown
  }

  /// Listens for signals until the process ends.
  func listen() {
    // A global queue would be wrong here: its threads may all be busy, and a signal must not wait for them.
    let queue = DispatchQueue(label: "signals", qos: .userInteractive)
    for number in [SIGTERM, SIGINT] {
      // The default action would end the process before the source gets the signal.
      _ = signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
      // The handler retains its own source: both live as long as the process.
      source.setEventHandler { [self] in
        _ = source
        ask()
      }
      source.resume()
    }
  }

  /// Treats the end of standard input as a request too. A separate thread waits for it.
  func listenToInput(_ read: @escaping @Sendable () -> [UInt8]?) {
    let thread = Thread { [self] in
      while read() != nil {}
      if !isAsked { ask() }
    }
    thread.start()
  }

  var isAsked: Bool { state.withLock { $0.asked } }
  var isWoken: Bool { state.withLock { $0.woken } }

  /// Releases the waiting task although no request to stop has come: there is no work left to wait for.
  func wake() {
    state.withLock { $0.woken = true }
    changes.wake()
  }

  /// Allows waiting again, because there is new work to wait for.
  func waitAgain() { state.withLock { $0.woken = false } }

  /// Requests the stop. The second call calls `impatient`.
  func ask() {
    let isFirst = state.withLock { state in
      defer { state.asked = true }
      return !state.asked
    }
    guard isFirst else { return impatient() }
    changes.wake()
  }

  /// Returns once the process has a request to stop, or has no work left to wait for.
  func requested() async { await changes.wait { [self] in state.withLock { $0.asked || $0.woken } } }
}
