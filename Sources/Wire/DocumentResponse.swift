import JSON

/// The answer of `GET /v1/sagas/{id}/document`: the values that the expressions of a saga's workflow read.
public struct DocumentResponse: WireValue {
  public let input: JSON
  /// The steps by their ids.
  public let steps: JSON
  public let saga: JSON

  /// - Parameter document: the document of a saga.
  public init(document: JSON) {
    input = document["input"] ?? .null
    steps = document["steps"] ?? [:]
    saga = document["saga"] ?? [:]
  }

  public init(_ members: Members) throws(UnexpectedMember) {
    input = try members.json("input")
    steps = try members.json("steps")
    saga = try members.json("saga")
  }

  public var json: JSON { .members(["input": input, "steps": steps, "saga": saga]) }
}
