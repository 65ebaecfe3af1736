/** What everybody buys: shown where nobody knows what this customer likes. */
export const bestsellers = [
  { sku: "sku-1", name: "Product 1" },
  { sku: "sku-2", name: "Product 2" },
  { sku: "sku-3", name: "Product 3" }
]
