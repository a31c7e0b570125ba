import Dispatch
import Foundation

/// Ends the process if it has not stopped in time after a request to stop, even if other threads are blocked.
enum LastDeadline {
  /// The server drains for 10 s, commands of Kafka beside it for 25 s, and then the engine for 20 s. The last events go to
  /// Kafka for 20 s at most.
  static let seconds = 80.0

  /// A separate queue has a separate thread.
  private static let queue = DispatchQueue(label: "last-deadline", qos: .userInteractive)

  static func arm(_ terminal: Terminal) {
    queue.asyncAfter(deadline: .now() + seconds) {
      terminal.complain("Stopped: what was in flight did not settle within \(Int(seconds)) s.\n")
      ExitStatus.failure.leave()
    }
  }
}
