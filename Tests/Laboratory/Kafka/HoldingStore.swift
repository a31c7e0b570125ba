import JSON
import Persistence
import TestSupport
import Values

/// A store in front of another that keeps a command's answer back once its events are committed, for ever: as if the
/// process had died between the two. So it does with every command after the first few.
final class HoldingStore: StoreInFront {
  let store: any EventStore
  private let held = Held()
  /// So many commands are answered.
  private static let answered = 5

  init(_ store: any EventStore) { self.store = store }

  private actor Held {
    var keys: [String] = []
    private var commands: Set<String> = []
    private var waiting: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []

    /// - Returns: whether the command is to be held.
    func took(_ key: String) -> Bool {
      guard commands.insert(key).inserted, commands.count > HoldingStore.answered else { return false }
      keys.append(key)
      let woken = waiting.filter { $0.count <= keys.count }
      waiting.removeAll { $0.count <= keys.count }
      for one in woken { one.continuation.resume() }
      return true
    }

    func wait(for count: Int) async {
      if keys.count >= count { return }
      await withCheckedContinuation { waiting.append((count, $0)) }
    }
  }

  /// Of the commands that took effect and were kept from being answered.
  var keys: [String] { get async { await held.keys } }
  func waitUntilHeld(_ count: Int) async { await held.wait(for: count) }

  func append(_ append: Append) async throws(StoreError) -> Appended {
    let appended = try await store.append(append)
    let key = append.events.first.flatMap { try? JSON(parsing: $0.meta)["causationId"]?.stringValue }
    if let key, key.hasPrefix("saga-"), await held.took(key) {
      let (ended, end) = AsyncStream.makeStream(of: Never.self)
      // It ends with its task.
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
