import ArgumentParser

@main
struct Martlet: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "martlet", abstract: "An all-in-one mail server.")
}
