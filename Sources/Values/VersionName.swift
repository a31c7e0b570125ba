/// How people read the version of a workflow. A released version is a number from 1. A draft is a number below zero: -3 is
/// draft 3.
public enum VersionName {
  public static func isDraft(_ version: Int) -> Bool { version < 0 }

  /// Returns `v3` or `draft 3`.
  public static func short(_ version: Int) -> String { isDraft(version) ? draft(version) : "v\(version)" }

  /// Returns `version 3` or `draft 3`.
  public static func long(_ version: Int) -> String { isDraft(version) ? draft(version) : "version \(version)" }

  private static func draft(_ version: Int) -> String { "draft \(version.magnitude)" }
}
