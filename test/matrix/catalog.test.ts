import { matrix } from "../scenarios/matrix.ts"

matrix("catalog")
