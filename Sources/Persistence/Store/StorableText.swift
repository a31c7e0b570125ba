extension String {
  /// Returns the text with U+FFFD in place of each U+0000. Postgres cannot store U+0000, and no field of a document may
  /// contain it. Text from a participant or a message must not stop the shard of its saga.
  public var withoutNUL: String { utf8.contains(0) ? replacing("\0", with: "\u{FFFD}") : self }
}
