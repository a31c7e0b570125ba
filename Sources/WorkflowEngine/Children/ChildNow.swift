import Persistence
import Runtime
public import SagaCore
public import Values

/// How a child is now, for those who look at its parent.
public struct ChildNow: Sendable, Hashable {
  public let status: SagaStatus
  /// What people see first of it; nil when it has no title.
  public let title: String?
  /// The step on which it is stuck; nil when it is not stuck.
  public let stuckAt: String?

  public init(status: SagaStatus, title: String? = nil, stuckAt: String? = nil) {
    self.status = status
    self.title = title
    self.stuckAt = stuckAt
  }

  init(_ state: SagaState) {
    self.init(status: state.status, title: state.start.title, stuckAt: state.blockers.first?.step)
  }
}

extension Engine {
  /// Returns how these children are. A child that can't be read is not among them.
  public func childrenNow(of children: [ChildLink]) async throws -> [UniqueID: ChildNow] {
    var childrenNow: [UniqueID: ChildNow] = [:]
    for child in children {
      do {
        childrenNow[child.saga] = ChildNow(try await host.state(of: child.saga))
      } catch {
        if error is StoreError { throw error }
        host.log.warning("A child can't be shown with its parent", ("child", "\(child.saga)"), ("error", "\(error)"))
      }
    }
    return childrenNow
  }
}
