/// The answer of a service over HTTP, as far as the outcome of an attempt depends on it.
package struct HTTPAnswer: Sendable {
  /// The service that answered.
  package struct Sender: Sendable {
    /// The name in the server's configuration. Messages contain it, because a laboratory knows the names of its
    /// services and not their addresses.
    package let name: String
    /// Whether an undo that comes before its command makes the service refuse the late command.
    package let keepsTombstones: Bool

    package init(name: String, keepsTombstones: Bool) {
      self.name = name
      self.keepsTombstones = keepsTombstones
    }
  }

  /// Why a body isn't whole.
  package struct BodyFault: Sendable {
    package let code: String
    package let message: String
    /// Whether the engine stopped reading because the body is too long.
    package let isTooLong: Bool

    package init(code: String, message: String, isTooLong: Bool) {
      self.code = code
      self.message = message
      self.isTooLong = isTooLong
    }
  }

  package let sender: Sender
  package let status: Int
  package let body: [UInt8]
  /// The text after the status in HTTP/1; empty when there is none.
  package let reason: String
  /// Nil when the body is whole.
  package let bodyFault: BodyFault?
  /// The header fields by their names in lower case. Several values of one name are joined by a comma.
  let headers: [String: String]
  let contentType: String?
  let contentEncoding: String?
  let retryAfter: String?
  let location: String?

  /// - Parameter fields: the header fields in their order.
  package init(
    sender: Sender, status: Int, body: [UInt8], reason: String = "", bodyFault: BodyFault? = nil,
    fields: some Sequence<(name: String, value: String)>
  ) {
    self.sender = sender
    self.status = status
    self.body = body
    self.reason = reason
    self.bodyFault = bodyFault
    var (first, all): ([String: String], [String: String]) = ([:], [:])
    for (name, value) in fields {
      let name = name.lowercased()
      first[name] = first[name] ?? value
      all[name] = all[name].map { "\($0), \(value)" } ?? value
    }
    headers = all
    contentType = first["content-type"]
    contentEncoding = first["content-encoding"]
    retryAfter = first["retry-after"]
    location = first["location"]
  }
}
