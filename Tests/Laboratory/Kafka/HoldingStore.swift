import JSON
import Persistence
import Synchronization
import TestSupport
import Values

/// A store in front of another. After the first commands it withholds each command's answer once its events are committed,
/// as if the process had died in between.
final class HoldingStore: StoreInFront {
  let store: any EventStore
  private let commands = Mutex<Set<String>>([])
  private let held = Told<String>()
  /// The number of commands that are answered.
  private static let answered = 5

  init(_ store: any EventStore) { self.store = store }

  /// - Returns: whether the command is withheld.
  private func took(_ key: String) -> Bool {
    let isHeld = commands.withLock { $0.insert(key).inserted && $0.count > Self.answered }
    if isHeld { held.add(key) }
    return isHeld
  }

  /// The keys of the commands that took effect and got no answer.
  var keys: [String] { held.all }
  func waitUntilHeld(_ count: Int) async { await held.wait(for: count) }

  func append(_ append: Append) async throws(StoreError) -> Appended {
    let appended = try await store.append(append)
    let key = append.events.first.flatMap { try? JSON(parsing: $0.meta)["causationId"]?.stringValue }
    if let key, key.hasPrefix("saga-"), took(key) {
      let (ended, end) = AsyncStream.makeStream(of: Never.self)
      // It ends when its task is cancelled.
      await withTaskCancellationHandler {
        for await _ in ended {}
      } onCancel: {
        end.finish()
      }
      throw StoreError(.unavailable, "The process has died.")
    }
    return appended
  }
}
