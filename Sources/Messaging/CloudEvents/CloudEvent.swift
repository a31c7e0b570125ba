public import Values

/// An event in the format of CloudEvents 1.0.
public struct CloudEvent: Sendable, Hashable {
  public var id: String
  /// The sender. Together with `id` it identifies the event: a repeated event has the same source and id.
  public var source: String
  public var type: String
  public var subject: String?
  public var time: Timestamp?
  public var dataContentType: String?
  public var dataSchema: String?
  /// Further attributes. Their names consist of a–z and 0–9.
  public var extensions: [Extension]
  public var data: [UInt8]

  public struct Extension: Sendable, Hashable {
    public let name: String
    public let value: String
    public init(_ name: String, _ value: String) {
      self.name = name
      self.value = value
    }
  }

  public init(
    id: String, source: String, type: String, subject: String? = nil, time: Timestamp? = nil,
    dataContentType: String? = "application/json", dataSchema: String? = nil, extensions: [Extension] = [],
    data: [UInt8]
  ) {
    self.id = id
    self.source = source
    self.type = type
    self.subject = subject
    self.time = time
    self.dataContentType = dataContentType
    self.dataSchema = dataSchema
    self.extensions = extensions
    self.data = data
  }

  /// Source and id in one text. It is unique, because `#` and `%` in the source are escaped.
  public var identity: String {
    // By scalars, because `#` with a combining mark is another character.
    var source = String.UnicodeScalarView()
    for scalar in self.source.unicodeScalars {
      switch scalar {
      case "%": source.append(contentsOf: "%25".unicodeScalars)
      case "#": source.append(contentsOf: "%23".unicodeScalars)
      default: source.append(scalar)
      }
    }
    return "\(String(source))#\(id)"
  }

  public func value(ofExtension name: String) -> String? { extensions.last { $0.name == name }?.value }
}
