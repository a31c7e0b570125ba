import JSON

/// The answer of `GET /v1/sagas/{id}/steps/{step}/items`: items of a step with `forEach`, in their order.
public struct ItemsResponse: WireValue {
  /// Each item as a step. Its id is `STEP[KEY]`.
  public let items: [SagaResponse.Step]
  public let next: String?

  public init(items: [SagaResponse.Step], next: String? = nil) {
    self.items = items
    self.next = next
  }

  public init(_ members: Members) throws(UnexpectedMember) {
    items = try members.list("items")
    next = try members.textIfAny("next")
  }

  public var json: JSON { .members(["items": .list(items), "next": .text(next)]) }
}
