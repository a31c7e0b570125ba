// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "embedding",
  platforms: [.macOS(.v15)],
  dependencies: [.package(name: "tracseq-sagas", path: "../..")],
  targets: [
    .executableTarget(
      name: "embedding",
      dependencies: [.product(name: "EmbeddedSagas", package: "tracseq-sagas")],
      path: "Sources/Embedding", swiftSettings: [.swiftLanguageMode(.v6)])
  ]
)
