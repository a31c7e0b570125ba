import Dispatch
import Foundation

/// The end of the process at the latest, when it was asked to stop: whatever holds the other threads.
enum LastDeadline {
  /// The server drains for 10 s, the engine for 20 s, and Kafka is told for as long as that takes, 20 s at most.
  static let seconds = 60.0

  /// A queue of its own has a thread of its own.
  private static let queue = DispatchQueue(label: "last-deadline", qos: .userInteractive)

  static func arm(_ terminal: Terminal) {
    queue.asyncAfter(deadline: .now() + seconds) {
      terminal.complain("Stopped: what was in flight did not settle within \(Int(seconds)) s.\n")
      ExitStatus.failure.leave()
    }
  }
}
