/// An error in a JSON text, with its place.
public struct JSONError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The error code, one of `JSONErrorCode`.
  public let code: String
  /// One sentence for a person.
  public let message: String
  public let place: SourcePlace
  /// The path to the value that was being read.
  public let pointer: JSONPointer

  public var line: Int { place.line }
  /// The column, from 1, in Unicode scalars.
  public var column: Int { place.column }
  /// The offset in bytes.
  public var offset: Int { place.offset }

  public var description: String { "\(line):\(column): \(message) [\(code)]" }

  /// The error without a word of the text. For a file of settings: a file that has only a secret may be named by mistake.
  public var withoutContent: String { "\(line):\(column): it is not JSON [\(code)]" }
}

/// The limits for a JSON text.
public struct JSONLimits: Sendable, Hashable {
  /// The most arrays and objects that may be nested.
  public var maxDepth: Int
  public var maxBytes: Int?

  /// The upper bound of `maxDepth`. Reading, comparing and freeing a value are recursive.
  public static let deepest = 512

  public init(maxDepth: Int = 256, maxBytes: Int? = nil) {
    self.maxDepth = maxDepth
    self.maxBytes = maxBytes
  }

  /// The limits for text from outside.
  public static let `default` = JSONLimits()
  /// The limits for text that the engine wrote. It may contain values from outside a few levels down.
  public static let stored = JSONLimits(maxDepth: deepest)
}
