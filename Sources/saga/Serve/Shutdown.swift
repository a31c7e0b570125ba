import CSystem
import Dispatch
import Foundation
import Runtime
import Synchronization

/// Tells when the process is asked to stop.
///
/// The first SIGTERM or SIGINT asks; whatever is under way may then settle. A second one ends the process at once, with
/// status 1: nothing more is sent or stored, and the next start finds what a `kill -9` would have left.
/// A process that was started by another may also be asked by the end of its standard input, so that it never outlives
/// the one that started it.
final class Shutdown: Sendable {
  private struct State {
    var asked = false
    var woken = false
  }
  private let state = Mutex(State())
  private let changes = WaitQueue()
  private let impatient: @Sendable () -> Void

  /// - Parameter impatient: what a second request does.
  init(impatient: @escaping @Sendable () -> Void) { self.impatient = impatient }

  /// Listens for signals, and for the end of standard input where that is wanted. A second request ends the process.
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
    // Not a global queue: its threads may all be at work, and a signal must not wait for them.
    let queue = DispatchQueue(label: "signals", qos: .userInteractive)
    for number in [SIGTERM, SIGINT] {
      // The default action would end the process before the source hears of it.
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

  /// Takes the end of standard input as a request too. A thread of its own waits for it.
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

  /// There is something to wait with again.
  func waitAgain() { state.withLock { $0.woken = false } }

  /// Asks to stop; the second time, impatiently.
  func ask() {
    let isFirst = state.withLock { state in
      defer { state.asked = true }
      return !state.asked
    }
    guard isFirst else { return impatient() }
    changes.wake()
  }

  /// Returns once the process has been asked to stop, or has nothing left to wait with.
  func requested() async { await changes.wait { [self] in state.withLock { $0.asked || $0.woken } } }
}
