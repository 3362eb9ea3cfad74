/**
 * What the compiler does not say about the sources: typescript-eslint's strict rules with type
 * information, and the form of the code (CONTRIBUTING.md, "Form").
 *
 * A rule that is off has its reason beside it.
 */
import stylistic from '@stylistic/eslint-plugin'
import { defineConfig } from 'eslint/config'
import tseslint from 'typescript-eslint'

const COLUMNS_MAX = 100
const FUNCTION_LINES_MAX = 70

/** Where one packet costs a few hundred nanoseconds (CONTRIBUTING.md, "Hot code"). */
const HOT_FILES = [
  'daemon/wire/*.ts',
  'daemon/encap/*.ts',
  'daemon/dataplane/{packet_path,fast_path}.ts',
  'daemon/dataplane/steps/*.ts'
]

const form = {
  '@stylistic/arrow-parens': ['error', 'always'],
  '@stylistic/brace-style': ['error', '1tbs', { allowSingleLine: true }],
  '@stylistic/comma-dangle': ['error', 'never'],
  '@stylistic/comma-spacing': 'error',
  '@stylistic/eol-last': 'error',
  '@stylistic/keyword-spacing': 'error',
  '@stylistic/max-len': ['error', { code: COLUMNS_MAX }],
  '@stylistic/member-delimiter-style': ['error', {
    multiline: { delimiter: 'none' },
    singleline: { delimiter: 'comma' }
  }],
  '@stylistic/no-extra-semi': 'error',
  '@stylistic/no-multiple-empty-lines': ['error', { max: 1, maxEOF: 0, maxBOF: 0 }],
  '@stylistic/no-tabs': 'error',
  '@stylistic/no-trailing-spaces': 'error',
  '@stylistic/object-curly-spacing': ['error', 'always'],
  '@stylistic/quotes': ['error', 'single', { avoidEscape: true }],
  '@stylistic/semi': ['error', 'never'],
  '@stylistic/space-before-blocks': 'error',
  '@stylistic/space-before-function-paren': ['error', 'always'],
  '@stylistic/space-infix-ops': 'error'
}

const meaning = {
  'eqeqeq': 'error',
  'max-lines-per-function': ['error', {
    max: FUNCTION_LINES_MAX, skipBlankLines: true, skipComments: true
  }],
  // An assignment inside an expression is mistaken for a comparison.
  'no-cond-assign': ['error', 'always'],
  'no-restricted-syntax': ['error', {
    selector: ':not(ExpressionStatement, ForStatement, SequenceExpression)' +
      ' > AssignmentExpression[operator="="]',
    message: 'Assign in a statement of its own.'
  }],
  'prefer-const': 'error',
  '@typescript-eslint/consistent-type-imports': 'error',
  '@typescript-eslint/explicit-module-boundary-types': 'error',
  '@typescript-eslint/naming-convention': ['error',
    { selector: 'typeLike', format: ['PascalCase'] },
    { selector: 'function', format: ['camelCase', 'PascalCase'] }],
  '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
  '@typescript-eslint/restrict-template-expressions': ['error', {
    allowNumber: true, allowBoolean: false, allowAny: false, allowNullish: false
  }],
  '@typescript-eslint/switch-exhaustiveness-check': ['error', {
    considerDefaultExhaustiveForUnions: true
  }],
  // A method of an interface is declared as a method: `read(at: number): number`.
  '@typescript-eslint/method-signature-style': 'off',
  // A class that only holds state is what the hot path wants: one shape.
  '@typescript-eslint/no-extraneous-class': 'off',
  // tsconfig.json has noUncheckedIndexedAccess; an index proven in range is said with `!`.
  '@typescript-eslint/no-non-null-assertion': 'off',
  // ES modules of Node export classes; `await` in a fake that needs none keeps its interface.
  '@typescript-eslint/require-await': 'off'
}

/** Constructs that allocate per packet or hide a call. */
const hot = {
  'no-restricted-syntax': ['error',
    { selector: 'AwaitExpression', message: 'Hot code does not wait.' },
    { selector: 'SpreadElement', message: 'Spread allocates.' },
    { selector: 'TryStatement', message: 'Hot code answers with codes, not exceptions.' },
    { selector: 'NewExpression[callee.name=/^(Map|Set)$/]', message: 'Use typed arrays.' },
    { selector: 'Literal[bigint]', message: 'BigInt allocates.' },
    {
      selector: 'CallExpression[callee.property.name=/^(subarray|slice)$/]',
      message: 'A view per packet allocates: pass (bytes, at).'
    }]
}

export default defineConfig(
  { ignores: ['node_modules/', '.cache/', '**/build/', 'bench/results/'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    plugins: { '@stylistic': stylistic },
    languageOptions: { parserOptions: { projectService: true } },
    rules: { ...form, ...meaning }
  },
  // address.ts also holds the text forms of addresses, which no packet meets.
  { files: HOT_FILES, ignores: ['**/*.test.ts', 'daemon/wire/address.ts'], rules: hot },
  {
    files: ['**/*.test.ts', 'test/**/*.ts', 'bench/**/*.ts'],
    rules: { 'max-lines-per-function': 'off' }
  },
  { files: ['**/*.js'], plugins: { '@stylistic': stylistic }, rules: form }
)
