import JSON
import Persistence
import Runtime
import SagaCore
import Values
import WorkflowEngine

/// The result of sending given-up notices once more.
public struct NoticeResend: Sendable, Hashable {
  public let destination: String
  /// The notices that arrived. They are no longer given up.
  public var delivered: [String] = []
  /// The notices that failed again. They stay given up.
  public var failed: [Failed] = []
  /// The number of notices that are still given up, whether they were tried or not.
  public var left = 0
  public var took = Duration.zero

  /// A notice that failed again.
  public struct Failed: Sendable, Hashable {
    public let id: String
    public let failure: NoticeFailure

    public init(id: String, failure: NoticeFailure) {
      self.id = id
      self.failure = failure
    }
  }

  public init(destination: String) { self.destination = destination }
}

/// Sends a destination its given-up notices, the oldest first.
struct NoticeResender: Sendable {
  /// The number of failures in a row after which the destination is at fault, and not the notices.
  static let mostFailures = 3
  /// The longest time that a request to resend may take. Its caller waits for the answer.
  static let longest = Duration.seconds(10)
  private static let pageSize = 100

  let destination: any NoticeDestination
  let store: any EventStore
  let environment: Environment

  /// - Parameter only: the notice to send; nil for all.
  /// - Throws: `notice.unknown` when no such notice was given up.
  func run(only: String?) async throws -> NoticeResend {
    let began = environment.now()
    var done = NoticeResend(destination: destination.name)
    var place: DocumentCursor?
    var failuresInARow = 0
    pages: while true {
      let page = try await page(after: place, only)
      for document in page {
        guard failuresInARow < Self.mostFailures, environment.now() - began < Self.longest else { break pages }
        failuresInARow = try await send(document, &done) ? 0 : failuresInARow + 1
      }
      guard only == nil, page.count == Self.pageSize else { break }
      place = page.last?.cursor
    }
    done.left = try await count()
    done.took = environment.now() - began
    return done
  }

  private func page(after place: DocumentCursor?, _ only: String?) async throws -> [Document] {
    guard let only else { return try await store.documents(query(after: place)) }
    let name = DeadNotice.name(destination.name, only)
    guard let document = try await store.document(collection: name.collection, id: name.id) else {
      throw EngineError(
        code: EngineErrorCode.noticeUnknown,
        message: "No notice “\(only)” to \(destination.name) lies with those that were given up.")
    }
    return [document]
  }

  private func query(after place: DocumentCursor?) -> DocumentQuery {
    DocumentQuery(
      collection: DeadNotice.collection, fields: ["destination": destination.name], after: place,
      limit: Self.pageSize)
  }

  private func count() async throws -> Int {
    var (count, place) = (0, DocumentCursor?.none)
    while true {
      let page = try await store.documents(query(after: place))
      count += page.count
      guard page.count == Self.pageSize else { return count }
      place = page.last?.cursor
    }
  }

  /// - Returns: whether it arrived.
  private func send(_ document: Document, _ done: inout NoticeResend) async throws -> Bool {
    guard let notice = Notice(deadNotice: document) else {
      let id = String(document.id.dropFirst(destination.name.count + 1))
      let failure = NoticeFailure(
        code: EngineErrorCode.noticeUnreadable, message: "What was kept of the notice can't be read.")
      done.failed.append(.init(id: id, failure: failure))
      return false
    }
    switch await destination.deliver(notice) {
    case .failed(let failure):
      done.failed.append(.init(id: notice.id, failure: failure))
      return false
    case .delivered:
      // The document is removed after the delivery: at worst the notice is sent a second time, under the same id.
      try await forget(DeadNotice.name(destination.name, notice.id))
      done.delivered.append(notice.id)
      return true
    }
  }

  /// Removes the document and leaves the sender's checkpoint unchanged. If the checkpoint moves meanwhile, it tries
  /// again.
  private func forget(_ name: DocumentName) async throws {
    let follower = NoticeSender.follower(destination.name)
    while true {
      let position = try await store.checkpoint(follower, shard: 0)
      do throws(StoreError) {
        return try await store.apply(
          ProjectionBatch(follower: follower, shard: 0, from: position, to: position, deletes: [name]))
      } catch {
        guard case .checkpointConflict = error.kind else { throw error }
      }
    }
  }
}
