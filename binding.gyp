{
  "targets": [
    {
      "target_name": "node-vae",
      "type": "none",
      "actions": [
        {
          "action_name": "build_native",
          "inputs": ["native/CMakeLists.txt"],
          "outputs": ["build/Release/node-vae.node"],
          "action": ["node", "scripts/build-native.mjs"]
        }
      ]
    }
  ]
}
