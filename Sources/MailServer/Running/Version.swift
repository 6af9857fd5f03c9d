/// The version of this build.
package let martletVersion = "0.1.0"
