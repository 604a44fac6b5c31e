import js from "@eslint/js";
import globals from "globals";

export default [
  js.configs.recommended,
  {
    languageOptions: { ecmaVersion: 2022, sourceType: "module", globals: { ...globals.browser } },
    rules: { eqeqeq: "error", "no-self-compare": "off", "no-var": "error", "prefer-const": ["error", { destructuring: "all" }] },
  },
  { files: ["tests/js/**"], languageOptions: { globals: { ...globals.node } } },
];
