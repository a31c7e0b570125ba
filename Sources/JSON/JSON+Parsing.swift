extension JSON {
  /// Reads a JSON text by RFC 8259 and RFC 7493: UTF-8 without a byte order mark, one value, unique names within each
  /// object, no lone surrogates, numbers that a Double can represent at least approximately.
  ///
  /// Noncharacters (such as U+FFFF) are accepted. They are harmless, and stored text must always be readable again.
  public init(parsing bytes: [UInt8], limits: JSONLimits = .default) throws(JSONError) {
    self = try Self.result(of: bytes, limits).get()
  }

  public init(parsing text: String, limits: JSONLimits = .default) throws(JSONError) {
    var text = text
    self = try text.withUTF8 { JSONParser.parse($0, limits) }.get()
  }

  /// Reads a JSON text without a copy of the bytes.
  public init(parsing bytes: UnsafeBufferPointer<UInt8>, limits: JSONLimits = .default) throws(JSONError) {
    self = try JSONParser.parse(bytes, limits).get()
  }

  private static func result(of bytes: [UInt8], _ limits: JSONLimits) -> Result<JSON, JSONError> {
    bytes.withUnsafeBufferPointer { JSONParser.parse($0, limits) }
  }
}
