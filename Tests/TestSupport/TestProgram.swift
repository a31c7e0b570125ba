import Foundation

/// Programs of the build, which tests run as processes of their own.
public enum TestProgram {
  /// Returns the path of a program that the build put beside the tests.
  public static func path(_ name: String) -> String {
    let bundle = Bundle.allBundles.map(\.bundleURL) + [URL(fileURLWithPath: CommandLine.arguments[0])]
    let built = bundle.map { $0.deletingLastPathComponent().appendingPathComponent(name).path }
      .first { FileManager.default.isExecutableFile(atPath: $0) }
    return built ?? Repository.root.appendingPathComponent(".build/debug/\(name)").path
  }
}
