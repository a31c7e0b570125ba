import Foundation
import Values

/// Makes the engine die while it computes a saga, to test the effects.
enum Drill {
  /// The environment variable with the saga's id.
  static let variable = "SAGA_DRILL_DIE_OF"

  static func dying(of saga: UniqueID) -> @Sendable (UniqueID) -> Void {
    { id in if id == saga { abort() } }
  }
}
