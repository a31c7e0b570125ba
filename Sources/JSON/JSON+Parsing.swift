extension JSON {
  /// Reads a JSON text as RFC 8259 and RFC 7493 want it: UTF-8 without a byte order mark, one value, names that are
  /// unique within their object, no lone surrogates, numbers that a Double can hold at least nearly.
  ///
  /// Noncharacters (as U+FFFF) are let through: they harm nobody, and what was written must always be readable again.
  public init(parsing bytes: [UInt8], limits: JSONLimits = .default) throws(JSONError) {
    self = try Self.result(of: bytes, limits).get()
  }

  public init(parsing text: String, limits: JSONLimits = .default) throws(JSONError) {
    var text = text
    self = try text.withUTF8 { JSONParser.parse($0, limits) }.get()
  }

  /// Reads without a copy of the bytes.
  public init(parsing bytes: UnsafeBufferPointer<UInt8>, limits: JSONLimits = .default) throws(JSONError) {
    self = try JSONParser.parse(bytes, limits).get()
  }

  private static func result(of bytes: [UInt8], _ limits: JSONLimits) -> Result<JSON, JSONError> {
    bytes.withUnsafeBufferPointer { JSONParser.parse($0, limits) }
  }
}
