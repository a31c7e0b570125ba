import Foundation
import Values

/// Lets the engine die of a saga, to try out what happens then.
enum Drill {
  /// Names the saga.
  static let variable = "SAGA_DRILL_DIE_OF"

  static func dying(of saga: UniqueID) -> @Sendable (UniqueID) -> Void {
    { id in if id == saga { abort() } }
  }
}
