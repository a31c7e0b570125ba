public import Runtime

/// A message that no repetition helps: it goes to the dead letters with this reason, and the partition goes on.
public struct Poison: CodedError, Hashable {
  public let code: String
  public let message: String

  public init(_ code: String, _ message: String) {
    self.code = code
    self.message = message
  }
}

/// What is done with messages, by their type.
///
/// A handler returns once its effect is durable: only then does the message's offset move. It throws `Poison` for what
/// can never be handled; whatever else it throws is taken for passing, and it is called again with the same message,
/// later and later. A message may come more than once, so a handler makes repeats harmless.
public struct MessageHandlers: Sendable {
  public typealias Handler = @Sendable (KafkaMessage) async throws -> Void
  private let typeOf: @Sendable (KafkaMessage) throws(Poison) -> String
  private var handlers: [String: Handler] = [:]

  /// - Parameter typeOf: what type a message is of; poison when that can't be told.
  public init(typeOf: @escaping @Sendable (KafkaMessage) throws(Poison) -> String) { self.typeOf = typeOf }

  /// One handler for messages of any type.
  public init(all handler: @escaping Handler) {
    typeOf = { _ in "" }
    handlers[""] = handler
  }

  public mutating func on(_ type: String, _ handler: @escaping Handler) { handlers[type] = handler }

  /// - Throws: `Poison`, or whatever the handler throws.
  public func handle(_ message: KafkaMessage) async throws {
    let type = try typeOf(message)
    guard let handler = handlers[type] else {
      let known = handlers.keys.sorted().joined(separator: ", ")
      throw Poison(
        MessagingErrorCode.messageUnknownType, "Nobody handles messages of the type “\(type)” here; known are \(known)."
      )
    }
    try await handler(message)
  }
}
